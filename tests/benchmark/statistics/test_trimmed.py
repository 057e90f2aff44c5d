"""Ratios of times in turns: what is planted is found, and intervals hold it as often as they say."""

import numpy as np
import pytest

from benchmark.statistics.trimmed import paired_ratio, trimmed_mean


def test_one_disturbance_counts_for_nothing():
    quiet = [1.0, 1.01, 0.99, 1.0, 1.0, 1.02, 0.98]
    disturbed = [*quiet[:3], 50.0, *quiet[4:]]
    assert trimmed_mean(disturbed).value == pytest.approx(1.0, abs=0.01)
    assert trimmed_mean(disturbed).high < 1.1


def test_what_slows_a_round_down_cancels():
    drift = np.geomspace(1, 5, 7)
    interval = paired_ratio(1.3 * drift, drift)
    assert interval[:3] == pytest.approx((1.3, 1.3, 1.3))


def test_the_ratio_turned_round_is_its_inverse():
    generator = np.random.default_rng(0)
    above, below = generator.lognormal(0, 0.1, (2, 9))
    there, back = paired_ratio(above, below), paired_ratio(below, above)
    assert there.value == pytest.approx(1 / back.value)
    assert (there.low, there.high) == pytest.approx((1 / back.high, 1 / back.low))


@pytest.mark.parametrize("rounds", [5, 7, 11])
@pytest.mark.parametrize("bursts", [0.0, 0.1])
def test_intervals_hold_the_truth_as_often_as_they_say(rounds, bursts):
    """Lognormal noise; with `bursts`, a tenth of the turns are slowed down by half."""
    generator = np.random.default_rng(rounds)
    held = 0
    for _ in range(1000):
        times = generator.lognormal(0, 0.05, (2, rounds))
        times *= np.where(generator.random((2, rounds)) < bursts, 1.5, 1.0)
        interval = paired_ratio(1.3 * times[0], times[1])
        held += interval.low <= 1.3 <= interval.high
    assert held / 1000 >= 0.93


@pytest.mark.parametrize(
    ("above", "below"),
    [
        ([1.0] * 4, [1.0] * 4),
        ([1.0] * 5, [1.0] * 6),
        ([1.0] * 4 + [0.0], [1.0] * 5),
        ([1.0] * 5, [1.0] * 4 + [np.nan]),
    ],
)
def test_what_says_nothing_is_refused(above, below):
    with pytest.raises(ValueError):
        paired_ratio(above, below)
