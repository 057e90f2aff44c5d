"""Differences of two models on the same images: against SciPy and statsmodels, and in small simulations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from benchmark.statistics import difference
from benchmark.statistics.difference import Difference, of_shares, over_seeds


def test_it_is_the_paired_t_test_of_many_images():
    generator = np.random.default_rng(0)
    first, second = generator.random((2, 3000))
    found = of_shares(first, second + 0.01)
    assert found.value == pytest.approx(np.mean(first - second - 0.01))
    expected = stats.ttest_rel(first, second + 0.01)
    assert found.p_value() == pytest.approx(expected.pvalue, rel=0.02)
    assert found.interval() == pytest.approx(tuple(expected.confidence_interval()), abs=2e-3)


@pytest.mark.parametrize(("first", "second"), [(12, 5), (3, 3), (0, 9), (40, 20), (0, 0)])
def test_mid_p_lies_between_the_exact_test_and_the_one_of_chi_squared(first, second):
    found = difference.mcnemar(first, second)
    exact = mcnemar([[50, first], [second, 50]], exact=True).pvalue if first + second else 1.0
    assert found <= exact
    if first + second:
        assert found == pytest.approx(exact - stats.binom.pmf(min(first, second), first + second, 0.5)) or (
            first == second and found == 1
        )


def test_right_and_wrong_are_tested_exactly_and_shares_are_not():
    right, wrong = np.repeat([1.0, 0.0], [9, 1]), np.repeat([1.0, 0.0], [2, 8])
    assert of_shares(right, wrong).p_value() == difference.mcnemar(7, 0)
    assert of_shares(right, wrong / 2).p_equal is None
    # models that no image tells apart are not known to be equal
    same = of_shares(right, right)
    low, high = same.interval()
    assert same.value == 0 and low < 0 < high and same.p_value() == 1


def test_images_of_one_drawing_count_as_one():
    generator = np.random.default_rng(0)
    classes = np.repeat(np.arange(40), 25)
    first = np.repeat(generator.random(40) < 0.5, 25).astype(float)
    second = np.repeat(generator.random(40) < 0.5, 25).astype(float)
    by_image, by_class = of_shares(first, second), of_shares(first, second, classes)
    assert by_class.value == by_image.value and by_class.error > 4 * by_image.error
    assert by_class.freedom == 39 and by_class.p_equal is None
    with pytest.raises(ValueError, match="two images or clusters"):
        of_shares(first, second, np.zeros(1000))


def test_the_other_way_round_everything_is_the_other_way_round():
    found = Difference(3.0, 2.5, 1.0, 12)
    other = found.scaled(-1)
    assert other.interval() == pytest.approx([-bound for bound in reversed(found.interval())])
    assert other.p_value(1, "less") == pytest.approx(found.p_value(-1, "greater"))
    assert found.p_value(2.5) == 1 and found.p_value() < 0.05 < found.p_value(1)
    certain = Difference(1.0, 1.0, 0.0)
    assert certain.interval() == (1, 1) and certain.p_value() == 0 and certain.p_value(1, "greater") == 1


def test_seeds_add_to_what_images_leave_open():
    def found(value):
        return Difference(value, value, 1.0, 400)

    one = over_seeds({0: [found(2.0)]})
    assert one.both == found(2.0) and one.by_seeds is None and one.repetitions == 1
    transfers = over_seeds({0: [found(1.0), found(3.0)]})
    assert transfers.by_seeds == pytest.approx(1.0) and transfers.pretrainings == 1
    assert transfers.both.error == pytest.approx(2**0.5) and transfers.both.value == 2
    several = over_seeds({seed: [found(seed), found(seed)] for seed in range(3)})
    # two transfers that agree say nothing of pre-training: three units, not six
    assert several.by_seeds == pytest.approx(3**-0.5) and several.pretrainings == 3
    assert several.by_images == 1 and 2 < several.both.freedom < 402
    with pytest.raises(ValueError):
        over_seeds({})


def test_intervals_over_images_and_seeds_hold_the_truth():
    generator = np.random.default_rng(1)
    held = 0
    for _ in range(600):
        images = generator.normal(0, 1.0)  # one test set for all repetitions
        runs = {
            seed: [Difference(v, v, 1.0, 300) for v in images + own + generator.normal(0, 0.5, 2)]
            for seed, own in enumerate(generator.normal(0, 1.5, 3))
        }
        low, high = over_seeds(runs).both.interval()
        held += low <= 0 <= high
    assert 92 <= held / 6 <= 99
