"""How alike tasks rank backbones: against scipy's tau, and what is left out."""

import csv

import pytest
from scipy.stats import kendalltau

from benchmark.records.schema import BackboneInfo, DataInfo, Metric, Record, TaskInfo
from benchmark.records.store import write_record
from benchmark.reporting import ladder
from benchmark.reporting.results import of_folder

VALUES = {
    "probe": {"a": 10.0, "b": 20.0, "c": 30.0, "d": 40.0},
    "finetune": {"a": 15.0, "b": 35.0, "c": 25.0, "d": 45.0},
    "few": {"a": 10.0, "b": 20.0},
}


def record(task, backbone, value, data="toy", metric="top1"):
    return Record(
        status="done",
        suite="toy",
        backbone=BackboneInfo(name=backbone, spec=f"run:{backbone}"),
        task=TaskInfo(name=task, type=task, config=f"{task}.py", config_digest=task, protocol=1),
        data=DataInfo(name=data, path="data", digest="d"),
        seed=0,
        fingerprint="f",
        command=f"python run_suite.py run {task}.py",
        started="2026-01-01T00:00:00+00:00",
        finished="2026-01-01T00:00:10+00:00",
        primary=metric,
        metrics={metric: Metric(value=value, n=80)},
    )


@pytest.fixture
def results(tmp_path):
    entries = [record(task, name, value) for task, found in VALUES.items() for name, value in found.items()]
    entries += [record("detection", name, 1.0, "coco", "bbox_mAP") for name in "abcd"]
    entries += [record("elsewhere", name, number, "other") for number, name in enumerate("abcd")]
    for entry in entries:
        write_record(tmp_path / "toy" / entry.backbone.name / entry.task.name / "seed0", entry)
    return of_folder(tmp_path / "toy")


def test_tau_is_scipys_and_few_backbones_are_left_out(results):
    (pair,) = ladder.pairs_of(results)
    assert {pair.first, pair.second} == {"probe", "finetune"} and pair.backbones == 4
    expected = kendalltau(*(list(VALUES[task].values()) for task in ("probe", "finetune")))
    assert (pair.tau, pair.p) == (pytest.approx(expected.statistic), pytest.approx(expected.pvalue))
    (sentence,) = ladder.sentences(results)
    assert sentence.startswith("toy: Kendall's tau-b between how 2 tasks rank 4 backbones is +0.67")
    assert "too few backbones for a rank correlation" in sentence


def test_the_table_is_written(results, tmp_path):
    files = ladder.write(results)
    assert [path.name for path in files] == ["ladder.csv", "ladder.md"]
    (line,) = csv.DictReader(files[0].open(encoding="utf-8"))
    assert line["data"] == "toy" and float(line["tau"]) == pytest.approx(2 / 3)
    assert "| toy |" in files[1].read_text(encoding="utf-8")
    results.rows = [row for row in results.rows if row.task != "finetune"]
    assert ladder.write(results) == []
