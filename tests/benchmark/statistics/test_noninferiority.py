"""Verdicts and places: what may be said, and how seldom it is said wrongly."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

from benchmark.statistics.difference import Difference, of_shares
from benchmark.statistics.noninferiority import claims, holm, ranks, verdicts


@pytest.mark.parametrize(
    ("estimate", "error", "expected"),
    [
        (3.0, 1.0, "better"),
        (0.5, 0.1, "better"),  # though by less than the margin
        (0.1, 0.2, "equal within δ"),
        (-0.5, 0.1, "equal within δ"),  # surely worse, and surely by less than matters
        (1.0, 0.9, "not worse"),
        (-3.0, 1.0, "worse"),
        (-1.5, 1.0, "undecided"),
        (1.5, 2.0, "undecided"),
    ],
)
def test_there_are_five_verdicts(estimate, error, expected):
    (said, p_values) = verdicts({"task": (Difference(estimate, estimate, error), 1.0)})["task"]
    assert said == expected
    low, high = Difference(estimate, estimate, error).interval()
    assert (p_values.different <= 0.05) == (low > 0 or high < 0)
    assert (p_values.not_worse <= 0.05) == (low > -1) and (p_values.not_better <= 0.05) == (high < 1)


def test_one_sided_tests_are_those_of_statsmodels():
    generator = np.random.default_rng(0)
    first, second = generator.random((2, 5000))
    found = claims(of_shares(first, second), 0.02)
    _, lower, upper = ttost_paired(first, second, -0.02, 0.02)
    assert found.not_worse == pytest.approx(min(1, 2 * lower[1]), rel=0.05, abs=1e-4)
    assert found.not_better == pytest.approx(min(1, 2 * upper[1]), rel=0.05, abs=1e-4)
    with pytest.raises(ValueError, match="margin 0"):
        claims(of_shares(first, second), 0)


def test_many_tasks_make_each_verdict_harder():
    entry = (Difference(2.2, 2.2, 1.0), 1.0)
    assert verdicts({"a": entry})["a"][0] == "better"
    many = {str(task): (Difference(0, 0, 1.0), 1.0) for task in range(9)}
    assert verdicts({"a": entry, **many})["a"][0] != "better"
    assert verdicts({}) == {}


def test_families_are_adjusted_as_statsmodels_adjusts_them():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06]) and holm([]) == []
    for values in np.random.default_rng(0).random((20, 7)).round(1) ** 4:
        assert holm(values) == pytest.approx(multipletests(values, method="holm")[1])


def test_of_equal_backbones_one_is_seldom_called_better():
    generator = np.random.default_rng(0)
    wrong = 0
    for _ in range(400):
        family = {
            str(task): (Difference(value, value, 1.0), 3.0)
            for task, value in enumerate(generator.normal(0, 1, 5))
        }
        wrong += any(said in ("better", "worse") for said, _ in verdicts(family).values())
    assert wrong / 400 <= 0.08


def test_nothing_is_ordered_that_is_not_told_apart():
    # first and second are one group, second and third another; the last is apart from all
    p_values = {(0, 1): 0.5, (0, 2): 0.001, (1, 2): 0.3, (0, 3): 1e-6, (1, 3): 1e-6, (2, 3): 1e-6}
    found = ranks([50, 49, 47, 5], p_values)
    assert [(rank.low, rank.high, rank.ties) for rank in found] == [
        (1, 2, "a"), (1, 3, "ab"), (2, 3, "b"), (4, 4, "c"),
    ]  # fmt: skip
    assert [rank.ties for rank in ranks([3, 2, 1], {})] == ["a", "a", "a"]
    assert ranks([7.0], {})[0] == (1, 1, "a")
