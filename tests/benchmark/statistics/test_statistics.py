"""Intervals against closed forms and brute force."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.statistics.coverage import coverage
from benchmark.statistics.precision import splits, subsampled_mean
from benchmark.statistics.proportions import cluster_interval, wilson_interval
from benchmark.statistics.ratios import mean_ratio


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


def test_a_ratio_over_equal_images_is_an_ordinary_mean():
    shares = np.random.default_rng(1).beta(8, 4, size=(400, 1))
    interval = mean_ratio(shares, np.ones_like(shares))
    half = 1.96 * shares.std() / np.sqrt(400)
    assert interval.value == pytest.approx(shares.mean()) and interval.bias == pytest.approx(0, abs=1e-12)
    assert interval.low == pytest.approx(shares.mean() - half, abs=1e-3)
    assert interval.high == pytest.approx(shares.mean() + half, abs=1e-3)


def test_the_bias_of_a_ratio_is_the_jackknifes():
    generator = np.random.default_rng(2)
    whole = generator.lognormal(0, 1, (400, 5))
    part = np.minimum(whole, whole**1.5 * generator.beta(2, 2, (400, 5)))  # larger ones are more often right
    keep = ~np.eye(400, dtype=bool)
    left_out = [np.mean(part[rows].sum(0) / whole[rows].sum(0)) for rows in keep]
    interval = mean_ratio(part, whole)
    jackknife = 399 * (np.mean(left_out) - interval.value)
    assert interval.bias == pytest.approx(jackknife, rel=0.1) and abs(jackknife) > 1e-4
    assert interval.low < interval.value - interval.bias < interval.high


def test_ratios_without_anything_to_vary():
    whole = np.ones((10, 2))
    assert mean_ratio(whole, whole)[:3] == (1, 1, 1)
    assert mean_ratio(0 * whole, whole)[:3] == (0, 0, 0)
    gone = whole * [1, 0]  # a class that is nowhere is left out of the mean
    assert mean_ratio(gone / 2, gone) == mean_ratio(gone[:, :1] / 2, gone[:, :1])
    assert np.isnan(mean_ratio(0 * whole, 0 * whole).value)
    with pytest.raises(ValueError, match="at least two images"):
        mean_ratio(whole[:1], whole[:1])


def test_a_class_in_one_image_alone_widens_the_interval():
    generator = np.random.default_rng(3)
    whole = np.ones((50, 4))
    part = generator.random((50, 4))
    rare = np.zeros((50, 1))
    rare[7] = 1
    common = mean_ratio(part, whole)
    with_rare = mean_ratio(np.hstack([part, 0.5 * rare]), np.hstack([whole, rare]))
    assert with_rare.high - with_rare.low > 2 * (common.high - common.low)


def test_splits_are_disjoint_and_whole():
    rows = splits(10)
    for parts, table in rows.items():
        together = table.reshape(-1, parts, 10).sum(axis=1)
        assert (together == 1).all() and len(np.unique(table, axis=0)) > parts
    assert all((splits(10)[n] == rows[n]).all() for n in rows)
    assert any((splits(10, seed=1)[n] != rows[n]).any() for n in rows)
    with pytest.raises(ValueError, match="at least 4"):
        splits(3)


@pytest.mark.parametrize("exponent", [0.4, 0.6, 0.9])
def test_a_bias_that_follows_its_law_is_extrapolated(exponent):
    truth, classes = np.linspace(20, 60, 8), np.ones(8)
    parts = {n: np.tile(truth + 3 * n**exponent, (8, 1)) for n in (2, 4)}
    interval = subsampled_mean(truth + 3, parts, 30 * classes)
    # the exponent grows beyond the sizes it is seen at; all classes agree on it, so it is trusted
    assert interval.bias == pytest.approx(3 * (2**exponent - 1) / (2 ** (exponent + 0.18) - 1))
    assert interval.value == pytest.approx(43)
    assert interval.low == pytest.approx(43 - interval.bias) == pytest.approx(interval.high)


def test_sub_samples_that_say_nothing():
    nothing = {n: np.full((8, 2), np.nan) for n in (2, 4)}
    assert subsampled_mean(np.array([30.0, 40.0]), nothing, np.ones(2)) is None
    flat = {n: np.full((8, 3), 25.0) for n in (2, 4)}
    absent = np.array([25.0, np.nan, 25.0])  # a class without objects takes no part
    assert subsampled_mean(absent, flat, np.array([5, 0, 5])) == (25, 25, 25, 0)


def test_a_class_in_one_half_alone_widens_the_interval():
    generator = np.random.default_rng(4)
    full = np.full(6, 50.0)
    parts = {n: 50 + 5 * generator.normal(size=(40, 6)) for n in (2, 4)}
    seen = subsampled_mean(full, parts, np.array([40, 40, 40, 40, 40, 1]))
    parts[2][::2, 5] = np.nan
    unseen = subsampled_mean(full, parts, np.array([40, 40, 40, 40, 40, 1]))
    assert unseen.high - unseen.low > 1.5 * (seen.high - seen.low)


def test_every_metric_finds_the_coverage_its_interval_reached():
    for metric in ("mAP", "mAP_50", "mIoU", "mIoU_things", "mIoU_stuff", "mAcc", "aAcc"):
        assert 80 < coverage(metric, 400, 30.0) <= 100
    assert coverage("accuracy over classes", 80, 66.0) == coverage("accuracy over classes", 79, 65.0)
    assert coverage("accuracy over classes", 20, 5.0) < 92 < coverage("accuracy over classes", 80, 30.0)
    assert coverage("mAP_s", 400, 30.0) is coverage("mAP", 20, 30.0) is coverage("mAP", 5000, 30.0) is None


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
