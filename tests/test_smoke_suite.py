"""One miniature suite, end to end, by the command a user types."""

import csv
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BACKBONES = ["random", "clip", "catlip"]
# What was sampled independently: classes of the probe, images of the others.
UNITS = {"demo_linear_probe": 6, "demo_mask_rcnn": 4, "demo_deeplabv3": 4}


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
        path.parts[-4:-2]: json.loads(path.read_text()) for path in suite.glob("*/*/seed0/record.json")
    }
    assert set(records) == {(backbone, task) for backbone in BACKBONES for task in UNITS}
    for (backbone, task), record in records.items():
        assert record["status"] == "done" and "run_suite.py run" in record["command"]
        for name in (record["primary"], *record["also"]):
            metric = record["metrics"][name]
            assert 0 <= metric["low"] <= metric["high"] <= 100 and metric["n"] == UNITS[task]
            assert metric["truth"].startswith("population of ")
            assert name in first.stdout
        assert backbone in first.stdout
    for name in ("clip", "catlip"):
        cost = json.loads((suite / "pretrain" / name / "backbone.json").read_text())["cost"]
        assert cost["samples"] == 1280 and cost["images_per_second"] > 0 and cost["flops"] > 0
    with (suite / "tables" / "summary.csv").open(newline="") as file:
        assert [row["backbone"] for row in csv.DictReader(file)] == BACKBONES
    # top-1, box AP, mask AP, mIoU over things, stuff and all, each by itself and against cost; all on one
    # page; the losses
    assert len(list((suite / "plots").glob("*.png"))) == 14

    made = written(suite)
    second = run_suite(tmp_path)
    assert second.returncode == 0 and "catlip" in second.stdout
    assert written(suite) == made
