"""The smallest difference a test set finds: against drawn test sets, and where nothing is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.statistics import coverage, detectable
from benchmark.statistics.detectable import smallest_difference
from benchmark.statistics.difference import of_shares


def test_a_difference_of_that_size_is_found_as_often_as_it_says():
    images = 2000
    points = smallest_difference("accuracy", images).points / 100
    generator = np.random.default_rng(0)
    # exactly one of two is right on 20 % of the images, more often the better one
    chances = [(detectable.DISAGREEMENT + side * points) / 2 for side in (1, -1)]
    found = 0
    for _ in range(300):
        first, second, _ = generator.multinomial(images, [*chances, 1 - sum(chances)])
        better = np.repeat([1.0, 0.0, 1.0], [first, second, images - first - second])
        worse = np.repeat([0.0, 1.0, 1.0], [first, second, images - first - second])
        found += of_shares(better, worse).p_value() <= 0.05
    assert found / 300 == pytest.approx(detectable.POWER, abs=0.07)


def test_more_units_find_less_and_classes_count_once():
    few, many = (smallest_difference("accuracy", units).points for units in (500, 50_000))
    assert few == pytest.approx(10 * many)
    by_class = smallest_difference("accuracy", 80, "classes")
    assert by_class.points > smallest_difference("accuracy", 1200).points and "classes" in by_class.assuming


def test_of_precision_it_is_what_simulated_worlds_showed(monkeypatch):
    rows = [("A", 100, 0.0, 95.0, 8.0), ("B", 100, 3.0, 95.0, 10.0), ("A", 400, 0.0, 95.0, 4.0)]
    monkeypatch.setattr(coverage, "_table", lambda: {"difference of mAP": rows})
    found = smallest_difference("mAP", 400)
    assert found.points == pytest.approx(4 / 3.92 * 2.8, rel=1e-3) and "400 images" in found.assuming
    assert smallest_difference("mAP", 1600).points == pytest.approx(found.points / 2)
    assert smallest_difference("mAP", 110).points > 2 * found.points
    assert smallest_difference("mIoU", 400) is None and smallest_difference("accuracy", 1) is None
