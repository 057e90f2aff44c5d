"""One miniature suite, end to end, by the command a user types: data, labels, pre-training, probes."""

import csv
import json
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


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
    records = {path.parts[-4]: json.loads(path.read_text()) for path in suite.glob("*/*/seed0/record.json")}
    assert set(records) == {"random", "clip", "catlip"}
    for name, record in records.items():
        assert record["status"] == "done" and "run_suite.py run" in record["command"]
        top1 = record["metrics"]["top1"]
        assert top1["low"] <= top1["value"] <= top1["high"] and top1["n"] == 24
        assert name in first.stdout
    for name in ("clip", "catlip"):
        cost = json.loads((suite / "pretrain" / name / "backbone.json").read_text())["cost"]
        assert cost["samples"] == 1280 and cost["images_per_second"] > 0 and cost["flops"] > 0
    with (suite / "tables" / "summary.csv").open(newline="") as file:
        assert [row["backbone"] for row in csv.DictReader(file)] == ["random", "clip", "catlip"]
    assert len(list((suite / "plots").glob("*.png"))) >= 3

    made = written(suite)
    begin = time.perf_counter()
    second = run_suite(tmp_path)
    assert second.returncode == 0 and "catlip" in second.stdout
    # a whole suite takes a minute; finding everything done must not come near that
    assert time.perf_counter() - begin < 20
    assert written(suite) == made
