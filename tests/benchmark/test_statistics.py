"""Intervals against closed forms and brute force."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.statistics import bootstrap_sums, cluster_interval, wilson_interval


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (10, 10), (1, 3), (661, 1000), (2399, 2400)])
def test_wilson_is_the_formula(successes, trials):
    z, p = 1.959963984540054, successes / trials
    centre = (p + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * np.sqrt(p * (1 - p) / trials + z**2 / (4 * trials**2))
    interval = wilson_interval(successes, trials)
    assert interval[:3] == pytest.approx((p, centre - half, centre + half), abs=1e-12)
    assert 0 <= interval.low <= interval.value <= interval.high <= 1


def test_wilson_is_the_published_example():
    # Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263
    interval = wilson_interval(81, 263)
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.2553, 0.3662)


@pytest.mark.parametrize(("successes", "trials"), [(1, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_what_is_no_proportion(successes, trials):
    with pytest.raises(ValueError):
        wilson_interval(successes, trials)


def test_the_bootstrap_agrees_with_theory():
    values = np.random.default_rng(1).normal(3, 2, size=400)
    sums = np.stack([values, np.ones_like(values)], axis=1)
    interval = bootstrap_sums(sums, lambda s: s[..., 0] / s[..., 1], resamples=4000)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert interval.value == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - half, abs=0.03)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.03)


def test_large_units_are_drawn_in_blocks():
    values = np.ones((1_000_000, 1))
    interval = bootstrap_sums(values, lambda s: s[..., 0], resamples=7)
    assert interval[:3] == (1e6, 1e6, 1e6)


def test_clusters_widen_the_interval_of_images_that_share_a_drawing():
    classes = np.repeat(np.arange(20), 30)
    correct = (classes % 2).astype(float)  # every class all right or all wrong
    by_class = cluster_interval(correct, classes)
    by_image = wilson_interval(int(correct.sum()), len(correct))
    assert by_class.value == by_image.value == 0.5
    assert by_class.high - by_class.low > 4 * (by_image.high - by_image.low)
    names = np.array([f"class {c}" for c in classes])  # any labels will do
    assert cluster_interval(correct, names) == by_class


def test_clusters_of_one_are_wilsons_images_but_for_students_quantile():
    correct = np.arange(2000) % 4 == 0
    by_cluster, by_image = cluster_interval(correct, np.arange(2000)), wilson_interval(500, 2000)
    assert by_cluster == pytest.approx((0.25, *by_image[1:3], None), abs=2e-4)


@pytest.mark.parametrize("right", [0, 1])
def test_clusters_that_are_all_alike_still_leave_doubt(right):
    interval = cluster_interval(np.full(2400, right), np.repeat(np.arange(80), 30))
    # nothing wrong in 80 clusters: Wilson's bound of 80 independent images
    bound = wilson_interval(80 * right, 80)
    assert interval[:3] == pytest.approx(bound[:3], abs=3e-3) and interval.value == right


def test_one_cluster_has_no_interval():
    with pytest.raises(ValueError, match="at least two"):
        cluster_interval(np.ones(5), np.zeros(5))


def test_the_interval_over_classes_covers_the_probability_over_all_classes():
    """True top-1 over all drawings is 0.8; classes are easy or hard, their 30 images go together."""
    generator = np.random.default_rng(0)
    classes = np.repeat(np.arange(80), 30)
    chance = generator.beta(0.8, 0.2, size=(1000, 80))
    hits = generator.random((1000, 2400)) < np.repeat(chance, 30, axis=1)

    def share(interval_of):
        intervals = [interval_of(row) for row in hits]
        return np.mean([interval.low <= 0.8 <= interval.high for interval in intervals])

    assert 0.935 <= share(lambda row: cluster_interval(row, classes)) <= 0.965
    assert share(lambda row: wilson_interval(int(row.sum()), 2400)) < 0.5  # as if images were independent
