"""Costs of equal quality, on curves whose speed-up is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.statistics import crossing
from benchmark.statistics.crossing import Curve, compare, first_reached

COSTS = np.array([10.0, 20.0, 40.0, 80.0])


def curve(qualities, errors=0.0, stream=0, costs=COSTS):
    qualities = np.atleast_2d(np.array(qualities, dtype=float))
    return Curve(costs, qualities, np.full(len(costs), float(errors)), stream)


def reached(qualities, *levels, costs=COSTS):
    return first_reached(costs, np.array([qualities], dtype=float), np.array([levels], dtype=float))[
        0
    ].tolist()


def test_a_level_is_reached_between_points_over_the_logarithm_of_cost():
    assert reached([1, 2, 3, 4], 2, 2.5, 4) == pytest.approx([20, 20 * 2**0.5, 80])


def test_what_is_below_the_first_point_cost_at_most_that_and_what_is_above_the_last_is_never_reached():
    assert reached([1, 2, 3, 4], 0.5, 1, 4.001) == [10, 10, np.inf]


def test_a_level_counts_where_it_is_first_reached():
    falls_back = [1, 3, 2, 4]
    assert reached(falls_back, 3, 2, 3.5) == pytest.approx([20, 10 * 2**0.5, 40 * 2**0.75])
    assert reached([3, 2, 1, 0], 3, 2.5, 3.5) == [10, 10, np.inf]
    assert reached([2, 2, 2, 2], 2, 2.1) == [10, np.inf]


def log_course(cost):
    return 10 * np.log(cost)


def test_a_planted_speed_up_is_found_in_both_directions():
    fast, slow = curve(log_course(2 * COSTS), 0.5), curve(log_course(COSTS), 0.5, stream=1)
    there, back = compare(fast, slow), compare(slow, fast)
    assert there.at_level.value == pytest.approx(2) and there.over_range.value == pytest.approx(2)
    assert there.level == back.level == pytest.approx(log_course(80))
    assert there.at_level.low < 2 < there.at_level.high
    for name in ("at_level", "over_range"):
        ours, theirs = getattr(there, name), getattr(back, name)
        assert [theirs.value, theirs.low, theirs.high] == pytest.approx(
            [1 / ours.value, 1 / ours.high, 1 / ours.low]
        )
    assert there.to_end.value == pytest.approx(2) and not there.bound
    assert back.to_end == (0, 0, 0), "the slow one never reaches the fast one's best"


def test_never_reached_may_be_the_test_sets_luck():
    near = compare(curve([1, 2, 3, 3.9], 0.3), curve([1, 2, 3, 4], 0.3, stream=1))
    assert near.to_end.value == near.to_end.low == 0 and near.to_end.high > 0.9
    assert 0.5 < near.at_level.low < near.at_level.high < 2


def test_identical_curves_cost_the_same():
    same = compare(curve([1, 2, 3, 4], 0.3), curve([1, 2, 3, 4], 0.3, stream=1))
    for ratio in (same.at_level, same.over_range):
        assert ratio.value == 1 and 0.5 < ratio.low < 1 < ratio.high < 2
    exact = compare(curve([1, 2, 3, 4]), curve([1, 2, 3, 4], stream=1))
    assert exact.at_level == exact.over_range == exact.to_end == (1, 1, 1)


def test_curves_with_no_quality_in_common_give_a_bound():
    ahead = compare(curve([5, 6, 7, 8]), curve([1, 2, 3, 4], stream=1))
    assert ahead.bound == "at least" and ahead.level == 4
    assert ahead.at_level[1:] == pytest.approx((8, np.inf))
    assert [ahead.at_level.value, ahead.over_range.value] == pytest.approx([8, 8])
    behind = compare(curve([1, 2, 3, 4], stream=1), curve([5, 6, 7, 8]))
    assert (
        behind.bound == "at most"
        and behind.at_level.value == pytest.approx(1 / 8)
        and behind.to_end.value == 0
    )
    assert not compare(curve([1, 2, 3, 4]), curve([1, 3, 5, 7], stream=1)).bound


def test_an_interval_is_open_where_a_curve_may_have_been_there_before_its_first_point():
    early = compare(curve([3.9, 6, 7, 8], 0.5), curve([1, 2, 3, 4], 0.5, stream=1))
    assert not early.bound and early.at_level.value < 8
    assert 3 < early.at_level.low < 8 and early.at_level.high == np.inf
    late = compare(curve([1, 2, 3, 4], 0.5, stream=1), curve([3.9, 6, 7, 8], 0.5))
    assert late.at_level.low == 0 and late.at_level.high == pytest.approx(1 / early.at_level.low)


def test_costs_may_differ_between_curves():
    cheap = compare(curve([1, 2, 3, 4], costs=COSTS / 3), curve([1, 2, 3, 4], stream=1))
    assert [cheap.at_level.value, cheap.over_range.value] == pytest.approx([3, 3])


def test_seeds_widen_the_interval_more_the_fewer_they_are():
    def width(*offsets):
        seeds = [np.array([1, 2, 3, 4]) + offset for offset in offsets]
        found = compare(curve(seeds), curve([1, 2, 3, 4], stream=1)).at_level
        return np.log(found.high / found.low)

    assert width(0.1, -0.1) > width(0.1, 0, -0.1) > width(0.1, 0.05, 0, -0.05, -0.1) > 0
    assert width(0) == 0


def test_the_same_curves_give_the_same_interval_every_time():
    first, again = (compare(curve([1, 2, 3, 4], 0.3), curve([1, 2, 3, 3.5], 0.3, stream=1)) for _ in range(2))
    assert first == again


def test_intervals_of_a_small_simulation_hold_the_truth(monkeypatch):
    from calibration import speed_ups

    monkeypatch.setattr(crossing, "DRAWS", 400)
    for seeds, shared in ((1, False), (3, False), (3, True)):
        for row in speed_ups.simulate("saturating", 2.0, seeds, shared, 200):
            assert row.coverage >= 89, row
            assert row.estimate == pytest.approx(2, rel=0.12), row
    one = list(speed_ups.simulate("saturating", 2.0, 1, False, 200))
    assert min(row.planted_held for row in one) < 88, "one seed says nothing of other seeds, as is told"
