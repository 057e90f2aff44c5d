"""Better, equal, not worse, worse or undecided: what a difference and a margin allow to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from benchmark.statistics.difference import Difference

LEVEL = 0.05
"""Of the two-sided tests; a one-sided claim must hold at half of it, as a 95 % interval does."""

MARGIN = 1.0
"""Default difference, in points, below which two backbones count as equally good."""

Verdict = Literal["better", "equal within δ", "not worse", "worse", "undecided"]


class Claims(NamedTuple):
    """p-values, each to be compared with `LEVEL`, of what could be said of the first of two models.

    Attributes:
        different: better or worse at all, whatever the margin.
        not_worse: not worse than the second by the margin.
        not_better: not better than it by the margin.
    """

    different: float
    not_worse: float
    not_better: float


def claims(difference: Difference, margin: float) -> Claims:
    """Tests of superiority, and the two one-sided tests against the margin (Schuirmann 1987).

    Args:
        difference: larger is better.
        margin: positive, in its unit.

    Raises:
        ValueError: the margin is not positive.
    """
    if not margin > 0:
        raise ValueError(f"margin {margin}: give a difference above zero")
    one_sided = (difference.p_value(-margin, "greater"), difference.p_value(margin, "less"))
    return Claims(difference.p_value(), *(min(1.0, 2 * p) for p in one_sided))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values of a family of tests so that the chance of any false rejection is kept (Holm 1979).

    As statsmodels' `multipletests` gives them, which collects garbage at every call: a report makes many.
    """
    values = np.asarray(p_values, dtype=float)
    order = np.argsort(values, kind="stable")
    adjusted = np.empty_like(values)
    adjusted[order] = np.maximum.accumulate(np.arange(len(values), 0, -1) * values[order]).clip(max=1.0)
    return adjusted.tolist()


def verdicts(
    family: Mapping[str, tuple[Difference, float]], level: float = LEVEL
) -> dict[str, tuple[Verdict, Claims]]:
    """A verdict for each task of a family, with p-values that are Holm's over all of them.

    Args:
        family: task -> difference (larger is better) and margin.
        level: of the family.
    """
    found = {task: claims(*entry) for task, entry in family.items()}
    adjusted = zip(*(holm(column) for column in zip(*found.values(), strict=True)), strict=True)
    return {
        task: (verdict(family[task][0], each := Claims(*p_values), level), each)
        for task, p_values in zip(found, adjusted, strict=True)
    }


def verdict(difference: Difference, p_values: Claims, level: float = LEVEL) -> Verdict:
    """The strongest of the five that the tests allow.

    One that is worse, but surely by less than the margin, is equal within it: that is what the margin says.
    """
    if p_values.different <= level and difference.estimate > 0:
        return "better"
    if p_values.not_worse <= level:
        return "equal within δ" if p_values.not_better <= level else "not worse"
    return "worse" if p_values.different <= level else "undecided"


class Rank(NamedTuple):
    """Where one of several backbones may stand: 1 is the best.

    Attributes:
        low, high: the best and the worst place that the tests leave open.
        ties: letters of the groups it belongs to: no two of one letter could be told apart.
    """

    low: int
    high: int
    ties: str


def ranks(estimates: Sequence[float], p_values: Mapping[tuple[int, int], float]) -> list[Rank]:
    """Places with their intervals, and groups of those that nothing tells apart.

    Args:
        estimates: of each backbone, larger is better.
        p_values: (i, j), i < j -> of their difference; a pair without one counts as not told apart. They are
            adjusted here, by Holm's method over all pairs.
    """
    number = len(estimates)
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    apart = np.zeros((number, number), dtype=bool)
    for (one, other), p_value in adjusted.items():
        apart[one, other] = apart[other, one] = p_value <= LEVEL
    order = sorted(range(number), key=lambda index: -estimates[index])
    # groups: the longest runs, in the order of the estimates, within which nothing is told apart
    runs: list[list[int]] = []
    for start in range(number):
        run = [order[start]]
        for candidate in order[start + 1 :]:
            if any(apart[candidate, member] for member in run):
                break
            run.append(candidate)
        if not runs or not set(run) <= set(runs[-1]):
            runs.append(run)
    found = []
    for index in range(number):
        better = sum(apart[index, other] and estimates[other] > estimates[index] for other in range(number))
        worse = sum(apart[index, other] and estimates[other] < estimates[index] for other in range(number))
        letters = "".join(_letter(place) for place, run in enumerate(runs) if index in run)
        found.append(Rank(1 + better, number - worse, letters))
    return found


def _letter(place: int) -> str:
    return chr(ord("a") + place) if place < 26 else f"({place + 1})"
