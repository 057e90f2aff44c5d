"""What quality costs: when a curve reaches a level, and how much cheaper than another one it is there.

A curve is straight between its points over the logarithm of cost. A level counts as reached where the curve
is first at it, as in MLPerf's time to quality: what it falls back to later takes nothing away. Below its
first point a curve is not known; a level below that cost at most what the first point did, and perhaps
nothing.

Intervals are percentiles of curves drawn around the mean one. Several seeds: their covariance along the
curve, scaled as Student's distribution for so many; and one error of the test set for every point, not
divided by the seeds, which share it. One seed: the test set alone. Points are drawn independently of each
other where it is the test set that moves them; in truth all are of one test set, whose luck moves them
together and cancels in part.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

DRAWS = 2000
LEVELS = 33
"""Levels of quality that the mean over a range is taken of."""


@dataclass(frozen=True)
class Curve:
    """One objective's quality by cost.

    Attributes:
        costs: of the points, rising, positive, [points].
        qualities: of each seed, larger is better, [seeds, points].
        errors: standard errors by the test set, [points].
        stream: number of the curve: those that are compared draw from different streams, whatever the order.
    """

    costs: np.ndarray
    qualities: np.ndarray
    errors: np.ndarray
    stream: int = 0

    @property
    def seeds(self) -> int:
        return len(self.qualities)

    @property
    def mean(self) -> np.ndarray:
        """Over seeds, [points]."""
        return self.qualities.mean(axis=0)

    @cached_property
    def drawn(self) -> np.ndarray:
        """Mean curves as other seeds and another test set might have given them, [draws, points]."""
        number, generator = DRAWS, np.random.default_rng([0, self.stream])
        drawn = self.mean + self.errors * generator.standard_normal((number, len(self.costs)))
        if self.seeds > 1:
            deviations = (self.qualities - self.mean) / np.sqrt(self.seeds * (self.seeds - 1))
            freedom = self.seeds - 1
            scale = np.sqrt(freedom / generator.chisquare(freedom, (number, 1)))
            drawn = drawn + scale * (generator.standard_normal((number, self.seeds)) @ deviations)
        return drawn


class Ratio(NamedTuple):
    """How many times as much one curve cost as another, and its 95 % interval; 0: by a cost without end."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """What a baseline costs of what a curve costs: more than 1 where the curve is the cheaper one.

    Attributes:
        level: the highest quality that both reach.
        at_level: the ratio there.
        over_range: its geometric mean over the qualities from the highest of the two lowest points up to
            there.
        to_end: what the curve reached for all the baseline cost: cost of the baseline's best over the cost at
            which the curve reached it, 0 where it never did.
        bound: ``at least`` where the curve was beyond `level` at its first point already, so that the ratios
            are no more than bounds, ``at most`` where the baseline was; otherwise empty.
    """

    level: float
    at_level: Ratio
    over_range: Ratio
    to_end: Ratio
    bound: str


def first_reached(
    costs: np.ndarray, qualities: np.ndarray, levels: np.ndarray, early: float | None = None
) -> np.ndarray:
    """The cost at which curves first reach levels; infinite where they never do.

    Args:
        costs: of the points, rising, [points].
        qualities: of each curve, [curves, points].
        levels: of each curve, [curves, levels].
        early: cost of levels below the first point, which is reached before it; default that of the point.

    Returns:
        [curves, levels].
    """
    reached = np.maximum.accumulate(qualities, axis=1)[:, None, :] >= levels[..., None]
    after = reached.argmax(axis=2)  # the first point that has; 0 if none has
    before = np.maximum(after - 1, 0)
    low, high = (np.take_along_axis(qualities, index, axis=1) for index in (before, after))
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(after > 0, (levels - low) / (high - low), 0.0)
    found = costs[before] * (costs[after] / costs[before]) ** share
    found = np.where(levels < qualities[:, :1], costs[0] if early is None else early, found)
    return np.where(reached.any(axis=2), found, np.inf)


def compare(curve: Curve, baseline: Curve) -> Comparison:
    """Compare two curves at equal quality. The other direction is `compare(baseline, curve)`.

    Args:
        curve, baseline: of two points or more each, their costs of one kind, their streams different.
    """
    values = _ratios(curve, curve.mean[None], baseline, baseline.mean[None])
    # where a draw is reached before its first point, whatever it may have cost is in the interval
    lows = _ratios(curve, curve.drawn, baseline, baseline.drawn, their_early=0.0)
    highs = _ratios(curve, curve.drawn, baseline, baseline.drawn, our_early=0.0)
    ratios = [
        Ratio(float(value[0]), _quantile(low, 0.025), _quantile(high, 0.975))
        for value, low, high in zip(values, lows, highs, strict=True)
    ]
    level = min(curve.mean.max(), baseline.mean.max())
    bound = "at least" if curve.mean[0] > level else "at most" if baseline.mean[0] > level else ""
    return Comparison(float(level), *ratios, bound)


def _quantile(draws: np.ndarray, share: float) -> float:
    # a place between two draws would be no number where one of them is infinite
    return float(np.quantile(draws, share, method="nearest"))


def _ratios(
    curve: Curve,
    ours: np.ndarray,
    baseline: Curve,
    theirs: np.ndarray,
    our_early: float | None = None,
    their_early: float | None = None,
) -> list[np.ndarray]:
    """Baseline's cost over curve's, of each draw: at the highest common level, over the range, to the end."""
    top = np.minimum(ours.max(axis=1), theirs.max(axis=1))
    bottom = np.minimum(np.maximum(ours[:, 0], theirs[:, 0]), top)
    steps = np.linspace(0, 1, LEVELS)
    # the very maximum, not a sum that is rounded to more
    levels = np.minimum(bottom[:, None] + (top - bottom)[:, None] * steps, top[:, None])
    levels = np.append(levels, theirs.max(axis=1, keepdims=True), axis=1)
    with np.errstate(divide="ignore"):
        ratios = np.log(first_reached(baseline.costs, theirs, levels, their_early))
        ratios -= np.log(first_reached(curve.costs, ours, levels, our_early))
        return [np.exp(found) for found in (ratios[:, -2], ratios[:, :-1].mean(axis=1), ratios[:, -1])]
