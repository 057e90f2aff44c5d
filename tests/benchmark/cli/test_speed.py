"""The ``speed`` command from end to end, on noise and on real pairs, alone and on two processes."""

import json

import pytest
from gpu_steps import MINIATURE

from benchmark.cli import main
from benchmark.records.store import find_records
from benchmark.reporting import speed as reporting
from common.configs import CONFIGS
from common.files import read_json


@pytest.fixture
def miniature(tmp_path, monkeypatch):
    """A geometry that takes no time, and turns as short."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    values = MINIATURE.model_dump(exclude={"published"})
    path = tmp_path / "miniature.py"
    path.write_text("\n".join(f"{name} = {value!r}" for name, value in values.items()) + "\n")
    return path


def records_in(results):
    return {record.backbone.name: record for _, record in find_records(results / "speed")}


def test_on_two_processes_with_real_pairs(miniature, pairs, tmp_path, capsys):
    results = tmp_path / "results"
    words = ["--geometry", str(miniature), "--batch", "4", "--rounds", "5", "--processes", "2"]
    words += ["--turn", "0.01", "--data", f"pairs={pairs}", "--results", str(results)]
    assert main(["speed", *words]) == 0
    found = records_in(results)
    assert list(found) == sorted(("vit", "catlip", "clip", "open_clip"))
    for name, record in found.items():
        assert record.status == "done" and record.task.axes["processes"] == 2
        rate = record.metrics["images_per_second"]
        assert rate.low <= rate.value <= rate.high and rate.n == 5
        seconds = record.details["found"]["same"]["seconds"]
        assert 4 * 2 / max(seconds) <= rate.value <= 4 * 2 / min(seconds), name
        assert "--processes 2" in record.command and "--batch 4" in record.command
    assert found["catlip"].details["found"]["communication"] is not None
    assert found["catlip"].details["bound"] in {"loader", "step"}
    assert {"cheaper_flops", "cheaper_same_batch", "cheaper_real_pairs"} <= found["catlip"].metrics.keys()
    assert "cheaper_largest_batch" not in found["catlip"].metrics
    assert found["catlip"].metrics["cheaper_flops"].value > 1
    printed = capsys.readouterr().out
    assert "catlip" in printed and "(b) same batch" in printed and "loads between its steps" in printed
    assert not (results / "speed" / "progress.json").exists()


def test_alone_with_the_largest_batch_and_again(miniature, tmp_path, capsys):
    results = tmp_path / "results"
    words = ["speed", "--geometry", str(miniature), "--rounds", "5", "--turn", "0.01", "--processes", "1"]
    words += ["--objectives", "catlip,clip", "--results", str(results)]
    assert main(words) == 0
    first = records_in(results)
    assert first["clip"].metrics["largest_batch"].value >= 4
    hours = {name: first[name].metrics["device_hours_predicted"].value for name in ("catlip", "clip")}
    ratio = first["catlip"].metrics["cheaper_device_hours"]
    assert ratio.value == pytest.approx(hours["clip"] / hours["catlip"]) and "a100_80gb" in ratio.method
    assert main(words) == 0
    second = records_in(results)
    assert second.keys() == first.keys()  # in the place of the first ones
    assert {r.fingerprint for r in second.values()} == {r.fingerprint for r in first.values()}
    capsys.readouterr()
    assert main(["report", "--suite", "speed", "--results", str(results)]) == 0
    assert "largest batch" in capsys.readouterr().out
    (table,) = reporting.studies(results / "speed")
    assert list(table.records) == ["vit", "catlip", "clip", "open_clip"]
    assert (results / "speed" / "plots" / f"{table.key}.png").stat().st_size > 10_000
    rows = (results / "speed" / "tables" / "speed.csv").read_text().splitlines()
    assert len(rows) == 1 + sum(len(record.metrics) for record in table.records.values())


def test_records_of_another_protocol_are_left_out(miniature, tmp_path, capsys):
    results = tmp_path / "results"
    words = ["speed", "--geometry", str(miniature), "--rounds", "5", "--turn", "0.01", "--processes", "1"]
    assert main([*words, "--batch", "4", "--results", str(results)]) == 0
    for path in (results / "speed").glob("*/*/*/record.json"):
        values = read_json(path)
        values["task"]["protocol"] = 0
        path.write_text(json.dumps(values))
    capsys.readouterr()
    assert main(["report", "--suite", "speed", "--results", str(results)]) == 2
    assert "run_suite.py speed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--geometry", "vit_b61"], "vit_b16"),
        (["--batch", "many"], "largest"),
        (["--batch", "1"], "from 2 on"),
        (["--objectives", "catlip,klip"], "clip"),
        (["--objectives", ","], "at least one"),
        (["--precision", "fp8"], "bf16"),
        (["--data", "pears=/"], "pairs"),
        (["--data", "pairs=/nowhere/at/all"], "does not exist"),
        (["--data", "pairs=common"], "no .tar shard"),
        (["--rounds", "4"], "rounds"),
        (["--processes", "0"], "processes"),
        (["--recipe", "paper"], "published"),
        (["--recipe", "mine"], "shared or paper"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, capsys, words, message):
    assert main(["speed", *words, "--results", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.splitlines()[-1].startswith("error: ") and message in error
    assert not list(tmp_path.glob("speed/*/*"))


def test_every_geometry_is_listed_in_the_help_of_a_mistake(capsys, tmp_path):
    assert main(["speed", "--geometry", "vit", "--results", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert any(path.stem in error for path in (CONFIGS / "speed").glob("vit*.py"))


def test_one_objective_at_its_largest_batch_alone(miniature, tmp_path, capsys):
    results = tmp_path / "results"
    words = ["--geometry", str(miniature), "--batch", "largest", "--objectives", "catlip", "--rounds", "5"]
    words += ["--turn", "0.01", "--processes", "1", "--results", str(results)]
    assert main(["speed", *words]) == 0
    found = records_in(results)
    assert list(found) == ["catlip", "vit"]  # OpenCLIP's operations are not counted
    assert found["catlip"].primary == "images_per_second_largest_batch" and found["catlip"].headline
    assert found["vit"].primary == "flops_per_image"
    assert "catlip's cost" in capsys.readouterr().out


def test_a_study_of_something_else_leaves_earlier_ones_alone(miniature, tmp_path):
    results = tmp_path / "results"
    words = ["speed", "--geometry", str(miniature), "--batch", "4", "--rounds", "5", "--turn", "0.01"]
    words += ["--processes", "1", "--results", str(results)]
    assert main([*words, "--objectives", "catlip"]) == 0
    assert main([*words, "--objectives", "clip"]) == 0
    found = [list(table.records) for table in reporting.studies(results / "speed")]
    assert found == [["vit", "catlip", "open_clip"], ["vit", "clip", "open_clip"]]
