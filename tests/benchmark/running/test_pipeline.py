"""The whole suite through the command line, with fake tasks and a fake pre-training."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.cli import main
from benchmark.cli.options import RESULTS
from common.files import read_json

PROJECT = Path(__file__).resolve().parents[3]
HEAVY = ("torch", "pandas", "scipy", "matplotlib", "mmcv", "mmdet", "mmseg", "yapf")


def arguments(harness, *more: str) -> list[str]:
    return ["--suite", str(harness.root / "toy.py"), "--results", str(harness.results), *more]


def test_the_second_call_prints_the_same_table_without_anything_heavy(harness, capsys):
    harness.suite(backbones={"random": "random:vit_nano_conv16", "b": "random:vit_mini_conv16"})
    assert main(arguments(harness)) == 0
    first = capsys.readouterr().out
    assert "50.0 [40.0, 60.0]" in first
    code = (
        "import sys\nfrom benchmark.cli import main\ncode = main(sys.argv[1:])\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\nsys.exit(code)"
    )
    again = subprocess.run(
        [sys.executable, "-c", code, *arguments(harness)], capture_output=True, text=True, cwd=PROJECT
    )
    assert again.returncode == 0 and again.stdout == first
    assert again.stderr.splitlines() == ["[]"]
    assert len(harness.runs) == 2
    folder = harness.results / "toy"
    for name in ("tables/summary.md", "tables/summary.csv", "tables/cells.csv", "plots/overview.png"):
        assert (folder / name).is_file()


def test_a_failure_is_shown_and_makes_the_exit_code_1(harness, capsys):
    harness.suite("raise")
    for _ in range(2):
        assert main(arguments(harness)) == 1
        out, errors = capsys.readouterr()
        assert "FAILED" in out and "it broke in two lines" in out
        assert "--retry-failed" in errors and "Traceback" not in errors
    assert len(harness.runs) == 1
    harness.suite("raise")
    assert main(arguments(harness, "--retry-failed")) == 1
    assert len(harness.runs) == 2


def test_seeds_from_the_command_line(harness, capsys):
    harness.suite()
    assert main(arguments(harness, "--seeds", "2")) == 0
    assert "50.5 ± 0.7 [40.0, 60.0]" in capsys.readouterr().out
    assert sorted(harness.runs) == ["random:vit_nano_conv16 0", "random:vit_nano_conv16 1"]


def test_missing_data_is_told_before_anything_runs(harness, capsys):
    harness.suite(data={"toy": str(harness.root / "nowhere")})
    assert main(arguments(harness)) == 2
    assert "--data toy=PATH" in capsys.readouterr().err and not harness.runs
    assert main(arguments(harness, "--data", f"toy={harness.data}")) == 0


def test_a_single_cell_and_its_report(harness, capsys):
    harness.suite()
    words = ["run", str(harness.root / "task.py"), "--backbone", "random:vit_nano_conv16", "--seed", "3"]
    words += ["--data", f"toy={harness.data}", "--results", str(harness.results)]
    assert main(words) == 0
    assert "53.0 [40.0, 60.0]" in capsys.readouterr().out
    records = list((harness.results / "single").glob("*/task/seed3/record.json"))
    assert len(records) == 1
    command = json.loads(records[0].read_text())["command"]
    assert command.startswith(
        f"python run_suite.py run {harness.root}/task.py --backbone random:vit_nano_conv16"
    )
    assert main(["report", "--suite", "single", "--results", str(harness.results)]) == 0
    assert "53.0 [40.0, 60.0]" in capsys.readouterr().out
    assert main([*words, "--set", "task.behaviour=user error"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("error: picture.jpg is no image: replace it (the result of before is kept in")
    assert main([*words, "--set", "task.behaviour=raise"]) == 1
    assert "train.log" in capsys.readouterr().err


def test_a_suite_folder_outside_results_is_impossible(harness):
    harness.suite()
    words = [
        "run",
        str(harness.root / "task.py"),
        "--backbone",
        "random:vit_nano_conv16",
        "--suite",
        "../../out",
    ]
    before = set(harness.root.iterdir())
    assert main([*words, "--data", f"toy={harness.data}", "--results", str(harness.results)]) == 0
    assert set(harness.root.iterdir()) - before == {harness.results, harness.runs_file}


def test_report_computes_nothing(harness, capsys):
    harness.suite()
    words = ["report", "--suite", str(harness.root / "toy.py"), "--results", str(harness.results)]
    assert main(words) == 0
    assert "missing" in capsys.readouterr().out and not harness.runs


FAKE_PRETRAIN = """
import json, os, sys
from pathlib import Path

out = Path(sys.argv[sys.argv.index("--out") + 1])
with open(os.environ["FAKE_RUNS"], "a") as file:
    file.write(f"pretrain {out.name}\\n")
print("training")
if os.environ.get("FAKE_PRETRAIN") == "fail":
    print("error: the pairs are rotten", file=sys.stderr)
    sys.exit(2)
(out / "training").mkdir(exist_ok=True)
keep = [word.removeprefix("keep=") for word in sys.argv if word.startswith("keep=")]
for samples in json.loads(keep[0]) if keep else []:
    kept = out / "kept" / str(samples)
    kept.mkdir(parents=True, exist_ok=True)
    (kept / "weights.safetensors").write_bytes(b"early weights")
    cost = {"seconds": 3.0, "samples": samples, "flops": 5.0 * samples}
    (kept / "backbone.json").write_text(json.dumps({"format": 1, "objective": "clip", "cost": cost}))
progress = {"done": 1, "total": 2, "loss": 3.0, "seconds_left": 5}
(out / "training" / "progress.json").write_text(json.dumps(progress))
(out / "weights.safetensors").write_bytes(b"weights")
cost = {"seconds": 12.0, "samples": 100, "flops": 500.0}
(out / "backbone.json").write_text(json.dumps({"format": 1, "objective": "clip", "cost": cost}))
"""


@pytest.fixture
def pretraining(harness, monkeypatch):
    """Pre-training is a small script; what it needs to be told apart is faked."""
    import benchmark.running.pretraining as job
    import pretraining.recipe as recipe

    script = harness.root / "pretrain.py"
    script.write_text(FAKE_PRETRAIN)
    original = job.pretraining_command
    monkeypatch.setattr(
        job,
        "pretraining_command",
        lambda entry, pairs: [sys.executable, str(script), *original(entry, pairs)[3:]],
    )
    monkeypatch.setattr("benchmark.running.pipeline.prepare_suite", lambda suite, display: None)
    monkeypatch.setattr(
        recipe, "finished", lambda config, out, data, overrides: (out / "backbone.json").exists()
    )
    monkeypatch.setattr(recipe, "lacking", lambda config, out, data, overrides: None)
    monkeypatch.setattr(recipe, "load_recipe", lambda config, overrides: overrides)
    monkeypatch.setattr(recipe, "fingerprint", lambda loaded, pairs: json.dumps(loaded))

    def suite(curve=None, **overrides):
        return harness.suite(
            **({"curve": curve} if curve else {}),
            backbones={"random": "random:vit_nano_conv16", "clip": "run:{suite}/pretrain/clip"},
            data={"toy": str(harness.data), "pairs": str(harness.data)},
            pretraining={"clip": {"config": "pretraining/demo_clip.py", "set": overrides}},
        )

    suite()
    return suite


def test_pre_training_runs_once_before_the_cells(harness, pretraining, capsys):
    assert main(arguments(harness)) == 0
    assert harness.runs[0] == "pretrain clip" and len(harness.runs) == 3
    assert " 12 " in capsys.readouterr().out
    assert main(arguments(harness)) == 0 and len(harness.runs) == 3
    assert "training" in (harness.results / "toy" / "pretrain" / "clip" / "train.log").read_text()


def test_seeds_repeat_the_pre_training_too(harness, pretraining, capsys):
    assert main(arguments(harness, "--seeds", "2")) == 0
    assert [run for run in harness.runs if run.startswith("pretrain")] == [
        "pretrain clip",
        "pretrain clip-seed1",
    ]
    cells = [run.rpartition("/")[2] for run in harness.runs if "run:" in run]
    assert sorted(cells) == ["clip 0", "clip-seed1 1"]
    record = harness.results / "toy" / "clip" / "task" / "pretraining1-seed1" / "record.json"
    assert read_json(record)["pretraining_seed"] == 1 and read_json(record)["seed"] == 1
    first = capsys.readouterr().out
    assert main(["report", *arguments(harness)]) == 0  # as many seeds as there were
    assert capsys.readouterr().out == first and "50.5 ± 0.7" in first


def test_a_failed_pre_training_is_a_row_and_is_kept(harness, pretraining, monkeypatch, capsys):
    monkeypatch.setenv("FAKE_PRETRAIN", "fail")
    for _ in range(2):
        assert main(arguments(harness)) == 1
        out = capsys.readouterr().out
        assert "50.0 [40.0, 60.0]" in out and "FAILED" in out and "the pairs are rotten" in out
    assert harness.runs.count("pretrain clip") == 1
    pretraining(samples=10)  # another recipe is another attempt
    assert main(arguments(harness)) == 1 and harness.runs.count("pretrain clip") == 2
    monkeypatch.delenv("FAKE_PRETRAIN")
    assert main(arguments(harness)) == 1 and harness.runs.count("pretrain clip") == 2
    assert main(arguments(harness, "--retry-failed")) == 0
    assert not (harness.results / "toy" / "pretrain" / "clip" / "failed.json").exists()
    assert read_json(harness.results / "toy" / "clip" / "task" / "seed0" / "record.json")["status"] == "done"


def test_the_default_results_folder_is_beside_the_door():
    assert RESULTS == PROJECT / "results"


CURVE = {"samples": [40], "tasks": ["task"]}


def test_the_points_of_a_curve_come_last_and_are_no_rows_of_the_table(harness, pretraining, capsys):
    pretraining(CURVE)
    assert main(arguments(harness, "--jobs", "1")) == 0
    out, _ = capsys.readouterr()
    assert [run.rpartition("/")[2] for run in harness.runs] == [
        *("pretrain clip", "random:vit_nano_conv16 0", "clip 0", "40 0")
    ]
    folder = harness.results / "toy"
    record = read_json(folder / "clip" / "task" / "samples40-seed0" / "record.json")
    assert record["pretraining_samples"] == 40 and record["schema_version"] == 5
    assert record["backbone"]["spec"] == f"run:{folder}/pretrain/clip/kept/40"
    assert read_json(folder / "clip" / "task" / "seed0" / "record.json")["pretraining_samples"] is None
    assert len((folder / "tables" / "summary.csv").read_text().splitlines()) == 3
    assert len((folder / "tables" / "cells.csv").read_text().splitlines()) == 3
    assert len((folder / "tables" / "curve.csv").read_text().splitlines()) == 3
    assert (folder / "plots" / "curve_task.png").is_file()
    assert main(["report", *arguments(harness)]) == 0
    assert capsys.readouterr().out == out
    assert main(["report", "--suite", "toy", "--results", str(harness.results)]) == 0  # without its config
    lines = zip(capsys.readouterr().out.splitlines()[4:6], out.splitlines()[4:6], strict=True)
    assert all(sorted(found.split("│")) == sorted(shown.split("│")) for found, shown in lines)


def test_the_points_of_a_pre_training_that_failed_fail_with_it(harness, pretraining, monkeypatch, capsys):
    monkeypatch.setenv("FAKE_PRETRAIN", "fail")
    pretraining(CURVE)
    assert main(arguments(harness)) == 1
    record = read_json(harness.results / "toy" / "clip" / "task" / "samples40-seed0" / "record.json")
    assert record["status"] == "failed" and "the pairs are rotten" in record["error"]
    assert "after 40 samples, seed 0, failed" in capsys.readouterr().out


def test_a_finished_pre_training_that_kept_less_says_why_it_runs_again(
    harness, pretraining, monkeypatch, capsys
):
    import pretraining.recipe as recipe

    assert main(arguments(harness)) == 0
    pretraining(CURVE)
    kept = harness.results / "toy" / "pretrain" / "clip" / "kept" / "40"
    monkeypatch.setattr(recipe, "lacking", lambda *run: [] if kept.is_dir() else [40])
    monkeypatch.setattr(recipe, "finished", lambda *run: kept.is_dir())
    capsys.readouterr()
    assert main(arguments(harness)) == 0
    assert "finished, but kept no checkpoint at 40 samples: it is trained again" in capsys.readouterr().err
    assert harness.runs.count("pretrain clip") == 2
