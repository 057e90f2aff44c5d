"""Intervals hold the population's value as often as they say; those of protocol 2 did not."""

from __future__ import annotations

import csv
from functools import partial

import numpy as np
import pytest
from calibration import coverage, differences, worlds

from benchmark.metrics.multilabel import AVERAGES
from benchmark.statistics.coverage import CHOSEN


@pytest.fixture
def small_population(monkeypatch):
    """A sample of 40,000 images for the population: within a few tenths of a point."""
    monkeypatch.setattr(differences, "POPULATION", 150_000)
    large = worlds.population
    monkeypatch.setattr(worlds, "population", lambda world: large(world, 40_000))


def test_intervals_of_average_precision_hold_the_populations(small_population, monkeypatch):
    monkeypatch.setitem(coverage.DETECTION, worlds.Curves, ((2.0, 0.75),))
    rows = coverage.average_precision(100, 60, 30, (worlds.Curves,))
    found = {(row.metric, row.construction): row for row in rows}
    chosen = found["mAP", CHOSEN]
    assert chosen.coverage >= 88 and chosen.worlds == 60
    assert chosen.bias > 2 and chosen.bias_estimated == pytest.approx(chosen.bias, rel=0.35)
    assert found["mAP_50", CHOSEN].coverage >= 85
    for other in ("percentile", "recentred"):
        row = found["mAP", other]
        assert row.coverage < 80 and row.above > 5 * row.below, other


def test_intervals_of_mean_ratios_hold_the_populations(monkeypatch):
    monkeypatch.setattr(
        coverage, "SEGMENTATION", {coverage.pixels.Regions: (2.0,), coverage.pixels.Objects: (0.5,)}
    )
    large = coverage.pixels.population
    monkeypatch.setattr(coverage.pixels, "population", lambda world: large(world, 100_000))
    for row in coverage.segmentation(100, 150, 0):
        assert 90 <= row.coverage <= 100, row


def test_intervals_of_multi_label_precision_hold_the_populations(small_population):
    rows = {(row.metric, row.construction, row.family): row for row in coverage.multilabel(400, 30, 0, 100)}
    for (metric, construction, _), row in rows.items():
        if construction == CHOSEN:
            assert row.coverage >= 80, (metric, row)
            assert row.bias_estimated == pytest.approx(row.bias, abs=1.5)
    assert {metric for metric, _, _ in rows} == {f"multi-label {name}" for name in AVERAGES}


def test_the_plan_is_all_metrics_and_a_table_is_written(tmp_path, monkeypatch, capsys):
    row = coverage.summary(
        "mIoU",
        CHOSEN,
        "Toy",
        50,
        40.0,
        [
            coverage.Interval(41, 39, 42, 0.5),
            coverage.Interval(45, 41, 46, 1.5),
            coverage.Interval(35, 30, 39, 1.0),
            coverage.Interval(40, 38, 41, 1.0),
        ],
    )
    assert (row.coverage, row.above, row.below, row.width) == (50, 25, 25, 5)
    assert row.bias == 0.25 and row.bias_estimated == 1.0 and row.standard_error == 25
    metrics = {"accuracy", "mAP", "mIoU", "multi-label", "differences"}
    assert {name for name, _ in coverage.plan(1000, False)} == metrics
    monkeypatch.setattr(coverage, "plan", lambda *_: [("mIoU", lambda: iter([row]))])
    coverage.main(["--out", str(tmp_path / "table.csv")])
    assert "50.0 ± 25.0" in capsys.readouterr().out
    with (tmp_path / "table.csv").open() as file:
        (line,) = csv.DictReader(file)
    assert float(line["truth"]) == 40 and line["family"] == "Toy"


@pytest.mark.parametrize("family", [worlds.Scenes, worlds.Pools, worlds.Curves])
def test_worlds_are_repeatable_and_larger_samples_are_nearer(family):
    world = family(1.0)
    first, again = (world.draw(50, np.random.default_rng(3)) for _ in range(2))
    assert (first.score == again.score).all() and (first.objects == again.objects).all()
    values = [worlds.population(world, images, seed).mean() for images in (20_000, 40_000) for seed in (1, 2)]
    assert max(values) - min(values) < 1.0


@pytest.mark.parametrize(
    "simulation",
    [
        lambda: differences.accuracy(400, 200),
        lambda: differences.segmentation(100, 60),
        lambda: differences.average_precision(100, 25),
        lambda: differences.multi_label(100, 12, partial(coverage._labels_and_scores, 0.0)),
    ],
)
def test_intervals_of_differences_hold_the_truth_and_equal_models_stay_equal(
    simulation, monkeypatch, small_population
):
    monkeypatch.setattr(differences, "DETECTION", {worlds.Curves: ((2.0, 0.75),)})
    monkeypatch.setattr(differences, "SEGMENTATION", {coverage.pixels.Objects: (1.0,)})
    large = coverage.pixels.population
    monkeypatch.setattr(coverage.pixels, "population", lambda world: large(world, 100_000))
    rows = list(coverage.paired(simulation()))
    assert any(row.truth == 0 for row in rows) and any(row.truth > 1 for row in rows)
    for row in rows:
        error = (95 * 5 / row.worlds) ** 0.5
        assert row.coverage >= 92 - 3 * error, row
