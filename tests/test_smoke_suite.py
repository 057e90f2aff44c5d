"""One miniature suite, end to end, by the command a user types."""

import csv
import json
import subprocess
import sys
from pathlib import Path

from benchmark.reporting.names import metric_title

ROOT = Path(__file__).resolve().parent.parent
BACKBONES = ["random", "clip", "catlip"]
# What was sampled independently: classes of the probe, images of the others.
UNITS = {
    **dict.fromkeys(("demo_linear_probe", "demo_knn", "demo_fewshot", "demo_retrieval"), 6),
    **dict.fromkeys(("demo_multilabel", "demo_mask_rcnn", "demo_deeplabv3"), 4),
}
RUNGS = ("demo_attentive_probe", "demo_lora", "demo_finetune")
SOME = {("catlip", task, "seed0"): 6 for task in (*RUNGS, "demo_zero_shot")}
SOME |= {("clip", "demo_zero_shot", "seed0"): 6, ("clip", "demo_image_text", "seed0"): 64}
"""Cells of some backbones only, and how many units their intervals are over."""
SHARES = {("catlip", "data_efficiency", f"fraction-0.5-init-{init}-seed0") for init in ("random", "transfer")}
CURVE = {(backbone, "demo_linear_probe", "samples640-seed0") for backbone in ("clip", "catlip")}


def run_suite(results):
    command = [sys.executable, "run_suite.py", "--suite", "smoke", "--results", str(results)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)


def written(folder):
    """When each file was written; locks are taken by every run."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {path: path.stat().st_mtime_ns for path in files}


def test_the_smoke_suite_from_nothing_to_a_table_and_then_from_what_is_there(tmp_path):
    first = run_suite(tmp_path)
    assert first.returncode == 0, first.stdout + first.stderr
    suite = tmp_path / "smoke"
    records = {
        path.parts[-4:-1]: json.loads(path.read_text()) for path in suite.glob("*/*/*seed0/record.json")
    }
    page = (suite / "report.html").read_text(encoding="utf-8")
    ends = {(backbone, task, "seed0") for backbone in BACKBONES for task in UNITS}
    assert set(records) == ends | CURVE | SHARES | SOME.keys()
    for (backbone, task, point), record in records.items():
        assert record["status"] == "done" and "run_suite.py run" in record["command"]
        for name in (record["primary"], *record["also"]):
            metric = record["metrics"][name]
            units = SOME.get((backbone, task, point), UNITS.get(task, 6))
            assert 0 <= metric["low"] <= metric["high"] <= 100 and metric["n"] == units
            assert metric["truth"].startswith("population of ")
            assert metric_title(name) in page
        assert backbone in first.stdout
    for name in ("clip", "catlip"):
        cost = json.loads((suite / "pretrain" / name / "backbone.json").read_text())["cost"]
        assert cost["samples"] == 1280 and cost["images_per_second"] > 0 and cost["flops"] > 0
        kept = json.loads((suite / "pretrain" / name / "kept" / "640" / "backbone.json").read_text())["cost"]
        # the last steps see all tokens
        assert kept["samples"] == 640 and 0 < kept["flops"] < cost["flops"] / 2
        assert 0 < kept["seconds"] < cost["seconds"] and 0 < kept["cpu_seconds"] < cost["cpu_seconds"]
    with (suite / "tables" / "summary.csv").open(newline="") as file:
        assert [row["backbone"] for row in csv.DictReader(file)] == BACKBONES
    plots = ("overview", "further_metrics", "demo_linear_probe_against_cost", "pretraining_loss")
    plots += ("curve_demo_linear_probe", "efficiency_data_efficiency", "synset_frequency", "verdicts")
    made = {path.name for path in (suite / "plots").iterdir() if path.suffix != ".csv"}
    assert made == {f"{name}.{ending}" for name in plots for ending in ("png", "svg", "pdf")}
    assert "data_efficiency, catlip: Transfer Init against random initialisation" in first.stdout
    assert {path.name for path in tmp_path.glob("features/*/class_token-00000.npy")}
    with (suite / "tables" / "curve.csv").open(newline="") as file:
        points = [(row["backbone"], row["samples"]) for row in csv.DictReader(file)]
    assert points == [(name, count) for name in ("clip", "catlip") for count in ("640", "1280")]
    with (suite / "tables" / "equal_quality.csv").open(newline="") as file:
        assert {row["cost"] for row in csv.DictReader(file)} == {"samples", "flops", "seconds"}
    told = ("Linear probe: at equal quality (top1 ", "have no quality in common that random weights may")
    assert any(text in first.stdout for text in told)

    made = written(suite)
    second = run_suite(tmp_path)
    assert second.returncode == 0 and "catlip" in second.stdout
    assert written(suite) == made
