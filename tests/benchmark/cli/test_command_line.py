"""The command line as a user meets it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.cli import main

PROJECT = Path(__file__).resolve().parents[3]
HEAVY = (
    "torch",
    "pandas",
    "matplotlib",
    "scipy",
    "sklearn",
    "statsmodels",
    "mmcv",
    "mmdet",
    "mmseg",
    "timm",
    "nltk",
)


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROJECT / "run_suite.py"), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=60
    )


def imported_by(*arguments: str) -> set[str]:
    """Heavy packages in memory after a command."""
    code = (
        "import sys\nfrom benchmark.cli import main\ncode = main(sys.argv[1:])\n"
        f"print('HEAVY', *[name for name in {HEAVY!r} if name in sys.modules])\nsys.exit(code)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=PROJECT, timeout=60
    )
    assert result.returncode == 0, result.stderr
    return set(result.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize("kind", ["backbones", "tasks", "suites", "geometries"])
def test_list_imports_nothing_heavy(kind):
    assert not imported_by("list", kind)


def test_list_shows_what_matches(capsys):
    assert main(["list", "backbones", "*mini*"]) == 0
    assert "random:vit_mini_conv16" in (out := capsys.readouterr().out) and "vit_base" not in out
    assert main(["list", "tasks", "*imagenet*"]) == 0
    out = capsys.readouterr().out
    assert "classification/imagenet1k_linear_probe.py" in out and "Linear probe on ImageNet-1k" in out
    assert "demo" not in out and "pretraining" not in out
    assert main(["list", "tasks"]) == 0
    assert "speed/" not in capsys.readouterr().out
    assert main(["list", "geometries"]) == 0
    assert "vit_b16" in (out := capsys.readouterr().out) and "linear_probe" not in out
    assert main(["list", "suites"]) == 0
    assert {"demo", "smoke"} <= {line.split()[0] for line in capsys.readouterr().out.splitlines()}


COMMANDS = ["run", "plan", "list", "pretrain", "prepare", "label", "vocabulary", "match", "report"]
COMMANDS += ["doctor", "speed", "export"]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_help_shows_an_example(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main([*command.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert "Example: python run_suite.py" in " ".join(out.split())


def test_a_config_of_ones_own_does_not_silently_train_on_the_demos_pairs(tmp_path, capsys):
    config = tmp_path / "mine.py"
    config.write_text(
        'objective = dict(type="clip")\noptimizer = dict(lr=1e-3)\nsamples = 8\nbatch_size = 8\n'
    )
    assert main(["pretrain", str(config), "--out", str(tmp_path / "out")]) == 2
    assert "give their folder as --data pairs=PATH" in capsys.readouterr().err


def wrong(*arguments: str) -> list[str]:
    return list(arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (wrong("--suite", "dmo"), "unknown suite 'dmo': did you mean demo"),
        (wrong("--suite", "nowhere.py"), "unknown suite"),
        (wrong("--seeds", "0"), "--seeds 0: at least one seed"),
        (wrong("list", "backbons"), "did you mean backbones"),
        (wrong("list", "tasks", "zzz"), "no tasks match 'zzz'"),
        (
            wrong("run", "demo_linear_prob.py", "--backbone", "x"),
            "did you mean classification/demo_linear_probe.py",
        ),
        (wrong("run", "classification/demo_linear_probe.py", "--backbone", "x"), "prepare demo"),
        (
            wrong("run", "classification/imagenet1k_linear_probe.py", "--backbone", "x"),
            "name its folder with --data imagenet1k=PATH",
        ),
        (
            wrong(
                "run",
                "classification/demo_linear_probe.py",
                "--backbone",
                "rndom:x",
                "--data",
                "demo_classification=.",
            ),
            "did you mean random",
        ),
        (
            wrong(
                "run", "classification/demo_linear_probe.py", "--backbone", "x", "--set", "task.featur=both"
            ),
            "did you mean task.feature",
        ),
        (
            wrong("run", "classification/demo_linear_probe.py", "--backbone", "x", "--data", "y"),
            "write --data NAME=PATH",
        ),
        (
            wrong(
                "run", "classification/imagenet1k_linear_probe.py", "--backbone", "x", "--data", "imagnet1k=."
            ),
            "imagenet1k_linear_probe.py reads no data called 'imagnet1k': did you mean imagenet1k",
        ),
        (
            wrong("pretrain", "pretraining/demo_clip.py", "--data", "pair=."),
            "pre-training reads no data called 'pair': did you mean pairs",
        ),
        (wrong("--data", "pair=."), "suite demo reads no data called 'pair': did you mean pairs"),
        (wrong("--pretraining-seeds", "0"), "--pretraining-seeds 0: at least one seed"),
        (wrong("pretrain", "nowhere.py"), "'nowhere.py' does not exist"),
        (
            wrong("pretrain", "pretraining/demo_clip.py", "--data", "pairs=/no/such/folder"),
            "/no/such/folder does not exist",
        ),
        (wrong("label", "/no/such/shard.tar"), "/no/such/shard.tar does not exist"),
        (wrong("prepare", "dem"), "no suite draws data called 'dem': did you mean demo"),
        (wrong("prepare", "smok", "--suite", "smoke"), "did you mean smoke"),
        (wrong("report", "--suite", "nothing"), "unknown suite 'nothing'"),
    ],
)
def test_errors_of_the_user_are_one_line_and_code_2(arguments, message, capsys, tmp_path):
    if arguments[0] not in {"list", "label", "pretrain"}:
        arguments = [*arguments, "--results", str(tmp_path)]
    assert main(arguments) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("error: ") and message in errors
    assert errors.count("\n") == 1 and "Traceback" not in errors


def test_debug_shows_the_traceback():
    for arguments in (("--suite", "dmo", "--debug"), ("list", "backbons", "--debug")):
        result = run(*arguments)
        assert result.returncode != 0 and "Traceback" in result.stderr and "UserError" in result.stderr


def test_what_cannot_be_written_is_the_users_error(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert main(["prepare", "smoke", "--results", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_real_data_are_checked_before_use(tmp_path, pairs, capsys):
    from dense_data import write_ade20k, write_coco
    from image_data import draw_images

    coco = write_coco(tmp_path / "coco", {"train": 3, "val": 2}, 48)
    assert main(["prepare", "coco", "--check", str(coco)]) == 0
    assert f"{coco}: COCO format, 2 categories" in capsys.readouterr().out
    ade20k = write_ade20k(tmp_path / "ade", {"training": 2, "validation": 2}, 32)
    assert main(["prepare", "ade20k", "--check", str(ade20k)]) == 0
    assert "ADE20K layout, 3 classes" in capsys.readouterr().out
    images = draw_images(tmp_path / "images")
    assert main(["prepare", "imagenet1k", "--check", str(images)]) == 0
    assert "image folder, 3 classes" in capsys.readouterr().out
    assert main(["prepare", "pairs", "--check", str(pairs)]) == 0
    assert "image–text pairs, shards: train 4, val 1" in capsys.readouterr().out
    (ade20k / "index_ade20k.pkl").touch()
    for arguments, message in (
        (["ade20k", "--check", str(ade20k)], "download ADEChallengeData2016.zip"),
        (["coco"], "--check PATH"),
        (["demo", "--check", str(coco)], "no layout of data called 'demo'"),
    ):
        assert main(["prepare", *arguments]) == 2
        errors = capsys.readouterr().err
        assert message in errors and errors.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["match", "coco"], "Missing option '--vocabulary'. (python run_suite.py match --help)"),
        (["nonsense"], "No such command 'nonsense'"),
        (["--jobs", "0"], "--jobs"),
        (["prepare", "--chck", "x"], "No such option"),
    ],
)
def test_mistakes_of_usage_are_one_line_too(arguments, message, capsys):
    assert main(arguments) == 2
    out, errors = capsys.readouterr()
    assert not out and errors.startswith("error: ") and errors.count("\n") == 1
    assert message in errors


def test_the_permission_to_download_ends_with_the_call(monkeypatch):
    from backbones import download

    monkeypatch.setenv(download.VARIABLE, "no")
    assert not download.allowed()
    assert main(["--download", "list", "suites"]) == 0 and not download.allowed()
    monkeypatch.delenv(download.VARIABLE)
    assert main(["--download", "list", "suites"]) == 0 and download.VARIABLE not in os.environ


def test_a_folder_is_not_written_over(tmp_path, capsys):
    assert main(["convert", "random:vit_nano_conv16", str(tmp_path / "new.txt")]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["new.txt"]
    (tmp_path / "names.txt").write_text("dog\n")
    vocabulary = tmp_path / "vocabulary.csv"
    vocabulary.write_text("synset,name,count\n2084071,dog.n.01,3\n")
    capsys.readouterr()
    arguments = [
        "match",
        str(tmp_path / "names.txt"),
        "--vocabulary",
        str(vocabulary),
        "--out",
        str(tmp_path),
    ]
    assert main(arguments) == 2
    assert capsys.readouterr().err == f"error: {tmp_path} is a folder: name the file to write\n"


def test_a_dry_run_of_pre_training_shows_the_recipe(capsys):
    assert main(["pretrain", "pretraining/demo_clip.py", "--dry-run", "--set", "samples=1280"]) == 0
    out = capsys.readouterr().out
    assert '"samples": 1280' in out and "1,280 samples in 10 steps" in out


def test_pretrain_hands_everything_on(tmp_path, monkeypatch, capsys):
    import types

    (tmp_path / "pairs").mkdir()
    (tmp_path / "pairs" / "0.tar").write_bytes(b"")
    seen = {}

    def pretrain(config, out, data, overrides, report, command):
        report("training", 1, 10, 3.0, images_per_second=9.0, seconds_left=1.0, waiting_for_data=0.5)
        seen.update(config=config, out=out, data=data, overrides=overrides, command=command)

    monkeypatch.setitem(sys.modules, "pretraining.train", types.SimpleNamespace(pretrain=pretrain))
    arguments = ["pretrain", "pretraining/demo_clip.py", "--out", str(tmp_path / "out")]
    arguments += ["--data", f"pairs={tmp_path}/pairs", "--set", "optimizer.lr=0.5"]
    assert main([*arguments, "--processes", "1"]) == 0
    assert seen["config"].name == "demo_clip.py" and seen["out"] == tmp_path / "out"
    assert seen["data"] == {"pairs": tmp_path / "pairs"} and seen["overrides"] == {"optimizer.lr": 0.5}
    assert "--set optimizer.lr=0.5" in seen["command"]
    monkeypatch.setattr("common.training.launch.devices", lambda: 4)
    monkeypatch.setattr("common.training.launch.launch", lambda *given: seen.update(given=given))
    assert main([*arguments, "--debug"]) == 0
    command, processes, logs = seen["given"]
    assert command[1:] == [str(PROJECT / "run_suite.py"), *arguments, "--debug"]
    assert (processes, logs) == (4, tmp_path / "out" / "training") and logs.is_dir()


def test_published_figures_are_readable():
    import csv

    with (PROJECT / "results" / "published" / "published.csv").open(newline="", encoding="utf-8") as file:
        figures = list(csv.DictReader(file))
    assert len(figures) > 50 and all(float(line["value"]) > 0 and line["source"] for line in figures)
    assert any(line["task"] == "imagenet1k_linear" and line["objective"] == "CatLIP" for line in figures)


def test_main_returns_codes_and_leaves_no_state(capsys):
    assert main(["list", "nothing"]) == 2
    assert main(["--no-such-option"]) == 2
    assert main(["list", "suites"]) == 0
    json.dumps(capsys.readouterr().out)


def test_list_shows_kept_features(tmp_path, capsys):
    import torch

    from benchmark.features.cache import FeatureCache

    def make(kinds, start, end):
        return {kind: torch.zeros(end - start, 4) for kind in kinds}

    identity = {"backbone": "run", "images": "x"}
    FeatureCache(tmp_path / "features").tables(
        identity, 3, ["class_token"], make, "run:clip on photos, train"
    )
    assert main(["list", "features", "--results", str(tmp_path)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "run:clip on photos, train" in out and "3 images, class_token, 0.0 MiB, used 20" in out
    assert main(["list", "features", "*catlip*", "--results", str(tmp_path)]) == 2
    assert "no features match" in capsys.readouterr().err
