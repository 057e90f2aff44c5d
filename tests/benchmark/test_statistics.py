"""Intervals against closed forms and brute force."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.statistics import (
    bootstrap_statistic,
    bootstrap_sums,
    cluster_bootstrap_mean,
    wilson_interval,
)


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (10, 10), (1, 3), (661, 1000), (2399, 2400)])
def test_wilson_is_the_formula(successes, trials):
    z, p = 1.959963984540054, successes / trials
    centre = (p + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * np.sqrt(p * (1 - p) / trials + z**2 / (4 * trials**2))
    interval = wilson_interval(successes, trials)
    assert interval == pytest.approx((p, centre - half, centre + half), abs=1e-12)
    assert 0 <= interval.low <= interval.value <= interval.high <= 1


def test_wilson_is_the_published_example():
    # Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263
    interval = wilson_interval(81, 263)
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.2553, 0.3662)


@pytest.mark.parametrize(("successes", "trials"), [(1, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_what_is_no_proportion(successes, trials):
    with pytest.raises(ValueError):
        wilson_interval(successes, trials)


def test_the_bootstraps_agree_with_each_other_and_with_theory():
    values = np.random.default_rng(1).normal(3, 2, size=400)
    loop = bootstrap_statistic(values, np.mean, resamples=4000)
    sums = np.stack([values, np.ones_like(values)], axis=1)
    fast = bootstrap_sums(sums, lambda s: s[..., 0] / s[..., 1], resamples=4000)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert loop.value == pytest.approx(fast.value) == pytest.approx(values.mean())
    for interval in (loop, fast):
        assert interval.low == pytest.approx(values.mean() - half, abs=0.03)
        assert interval.high == pytest.approx(values.mean() + half, abs=0.03)


def test_bootstraps_are_repeatable():
    values = np.arange(20.0)
    assert bootstrap_statistic(values, np.median, seed=3) == bootstrap_statistic(values, np.median, seed=3)
    assert bootstrap_statistic(values, np.mean, seed=3) != bootstrap_statistic(values, np.mean, seed=4)


def test_clusters_widen_the_interval_of_images_that_share_a_drawing():
    classes = np.repeat(np.arange(20), 30)
    correct = (classes % 2).astype(float)  # every class all right or all wrong
    by_class = cluster_bootstrap_mean(correct, classes)
    by_image = wilson_interval(int(correct.sum()), len(correct))
    assert by_class.value == by_image.value == 0.5
    assert by_class.high - by_class.low > 4 * (by_image.high - by_image.low)
    names = np.array([f"class {c}" for c in classes])  # any labels will do
    assert cluster_bootstrap_mean(correct, names).value == 0.5


def test_clusters_of_one_are_the_ordinary_bootstrap():
    values = np.random.default_rng(0).random(100)
    pairs = np.stack([values, np.ones(100)], axis=1)
    assert cluster_bootstrap_mean(values, np.arange(100)) == bootstrap_sums(
        pairs, lambda s: s[..., 0] / s[..., 1]
    )


def test_large_units_are_drawn_in_blocks():
    values = np.ones((1_000_000, 1))
    interval = bootstrap_sums(values, lambda s: s[..., 0], resamples=7)
    assert interval == (1e6, 1e6, 1e6)


def test_one_unit_has_no_interval():
    with pytest.raises(ValueError, match="at least two"):
        cluster_bootstrap_mean(np.ones(5), np.zeros(5))
