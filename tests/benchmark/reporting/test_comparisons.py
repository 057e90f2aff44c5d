"""Verdicts and places of a suite whose cells are drawn here."""

from __future__ import annotations

import csv

import numpy as np
import pandas
import pytest

from benchmark import reporting
from benchmark.records.schema import BackboneInfo, DataInfo, Metric, Record, TaskInfo
from benchmark.records.store import write_record
from benchmark.reporting import comparisons
from benchmark.reporting.results import of_folder

IMAGES = 2000
CHANCES = {"random": 0.1, "clip": 0.5, "catlip": 0.7}
COST = {"samples": 1000, "flops": 6e13, "cpu_seconds": 10.0, "seconds": 5.0}
CARDS = {
    "random": {"source": "random"},
    "clip": {"source": "run", "objective": "clip", "cost": COST},
    "catlip": {"source": "run", "objective": "catlip", "cost": {**COST, "flops": 5e13}},
}


def cell(folder, backbone, task="probe", chance=None, seed=0, pretraining_seed=None):
    """A cell whose images are right by chance, the same ones hard for every backbone."""
    ease = np.random.default_rng(1).random(IMAGES)
    own = np.random.default_rng([len(backbone), seed, len(task)]).random(IMAGES)
    right = 0.5 * ease + 0.5 * own < (CHANCES[backbone] if chance is None else chance)
    here = folder / backbone / task / f"pretraining{pretraining_seed or 0}-seed{seed}"
    record = Record(
        status="done",
        suite="toy",
        backbone=BackboneInfo(name=backbone, spec=f"run:{backbone}", description=CARDS[backbone]),
        task=TaskInfo(name=task, type="t", config=f"{task}.py", config_digest=task, protocol=1),
        data=DataInfo(name="toy", path="data", digest="d"),
        seed=seed,
        pretraining_seed=pretraining_seed,
        fingerprint="f",
        command=f"python run_suite.py run {task}.py",
        started="2026-01-01T00:00:00+00:00",
        finished="2026-01-01T00:00:10+00:00",
        primary="top1",
        metrics={"top1": Metric(value=100 * float(right.mean()), n=IMAGES, truth="population of images")},
    )
    write_record(here, record)
    table = pandas.DataFrame({"path": [str(index) for index in range(IMAGES)], "correct": right})
    table.to_parquet(here / "per_image.parquet")
    return record


@pytest.fixture
def folder(tmp_path):
    for backbone in CHANCES:
        cell(tmp_path / "toy", backbone)
    return tmp_path / "toy"


def test_every_backbone_is_compared_with_clip(folder):
    results = of_folder(folder)
    assert results.baseline == "clip"
    assert comparisons.comparisons(results) == []  # nothing is computed in reading
    comparisons.write(results)
    found = {entry.backbone: entry for entry in comparisons.comparisons(results)}
    assert set(found) == {"catlip", "random"}
    assert (found["catlip"].verdict, found["random"].verdict) == ("better", "worse")
    values = {row.name: row.record.metrics["top1"].value for row in results.rows}
    assert found["catlip"].difference == pytest.approx(values["catlip"] - values["clip"])
    assert found["catlip"].low < found["catlip"].difference < found["catlip"].high
    assert found["catlip"].low_joint < found["catlip"].low
    assert found["catlip"].cheaper_flops == pytest.approx(1.2) and found["random"].cheaper_flops is None
    assert found["catlip"].error_seeds is None and found["catlip"].seeds == "1 seed"
    places = {place.backbone: (place.text, place.ties) for place in comparisons.places(results)}
    assert places == {"random": ("3", "c"), "clip": ("2", "b"), "catlip": ("1", "a")}


def test_it_is_said_in_a_sentence_and_one_seed_is_no_finding(folder):
    results = of_folder(folder)
    reporting.update(results)
    verdict, *_, warning = comparisons.sentences(results)  # random weights are no claim to be made
    assert verdict.startswith("probe: catlip is better than clip (top-1 +")
    assert "with 1.20 times fewer FLOPs of pre-training; 1 seed." in verdict
    assert "none is a finding" in warning
    text = (folder / "tables" / "verdicts.md").read_text(encoding="utf-8")
    assert "| better |" in text and "δ" in text
    # once made they stay as they are
    before = (folder / "tables" / "verdicts.csv").stat().st_mtime_ns
    assert not reporting.update(results)
    assert (folder / "tables" / "verdicts.csv").stat().st_mtime_ns == before


def test_what_cannot_be_told_apart_shares_a_place(tmp_path):
    for backbone, chance in (("random", 0.1), ("clip", 0.5), ("catlip", 0.505)):
        cell(tmp_path / "toy", backbone, chance=chance)
    results = of_folder(tmp_path / "toy")
    results.margins = {"top1": 10.0}
    comparisons.write(results)
    (found,) = [entry for entry in comparisons.comparisons(results) if entry.backbone == "catlip"]
    assert found.verdict == "equal within δ" and found.margin == 10
    said = comparisons.sentence(found, "probe", "top-1")
    assert "as good as clip within 10 points" in said and "random" not in said
    places = {place.backbone: (place.text, place.ties) for place in comparisons.places(results)}
    assert places == {"random": ("3", "b"), "clip": ("1–2", "a"), "catlip": ("1–2", "a")}
    results.margins = {"top1": 0.1}
    comparisons.write(results)
    (found,) = [entry for entry in comparisons.comparisons(results) if entry.backbone == "catlip"]
    assert found.verdict == "undecided"


def test_to_be_as_good_as_what_is_no_better_than_random_weights_is_told_as_such(tmp_path):
    for backbone, chance in (("random", 0.5), ("clip", 0.505), ("catlip", 0.5)):
        cell(tmp_path / "toy", backbone, chance=chance)
    results = of_folder(tmp_path / "toy")
    results.margins = {"top1": 10.0}
    reporting.update(results)
    found = {entry.backbone: entry for entry in comparisons.comparisons(results)}
    assert found["catlip"].verdict == "equal within δ" and found["catlip"].baseline_above_random is False
    assert "but clip cannot be told from random weights here" in comparisons.sentences(results)[0]
    drawing = (tmp_path / "toy" / "plots" / "verdicts.svg").read_text(encoding="utf-8")
    assert "equal within δ; clip not above random" in drawing
    assert "but clip cannot be told" in (tmp_path / "toy" / "report.html").read_text(encoding="utf-8")


def test_seeds_of_pretraining_widen_what_is_said(tmp_path):
    for seed, shift in enumerate((-0.15, 0.0, 0.15)):
        for backbone in ("clip", "catlip"):
            chance = 0.5 + (0.05 + shift if backbone == "catlip" else 0)
            cell(tmp_path / "toy", backbone, chance=chance, seed=seed, pretraining_seed=seed)
        cell(tmp_path / "toy", "random", seed=seed)
    results = of_folder(tmp_path / "toy")
    comparisons.write(results)
    found = {entry.backbone: entry for entry in comparisons.comparisons(results)}
    several = found["catlip"]
    assert (several.repetitions, several.pretrainings) == (3, 3) and several.verdict == "undecided"
    assert several.error_seeds > 3 * several.error_images
    assert found["random"].repetitions == 3 and found["random"].verdict == "worse"
    assert not any("none is a finding" in text for text in comparisons.sentences(results))


def test_without_a_baseline_there_are_places_alone(folder):
    cell(folder, "clip", "other")
    results = of_folder(folder)
    results.rows = [row for row in results.rows if row.name != "clip"]
    assert results.baseline is None
    reporting.update(results)
    assert comparisons.comparisons(results) == [] and len(comparisons.places(results)) == 2
    results.rows = results.rows[:1]
    reporting.update(results)
    assert comparisons.places(results) == []  # what is of earlier results is gone


def test_torn_tables_are_no_verdicts(folder):
    results = of_folder(folder)
    comparisons.write(results)
    file = folder / "tables" / "verdicts.csv"
    with file.open(newline="", encoding="utf-8") as stream:
        assert len(list(csv.DictReader(stream))) == 2
    file.write_text("task,metric\nprobe,top1\n", encoding="utf-8")
    assert comparisons.comparisons(results) == []
