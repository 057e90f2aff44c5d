"""Intervals: how far a figure could be off because the test set is a sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np


class Interval(NamedTuple):
    """An estimate and its confidence interval, in the unit of the values that went in."""

    value: float
    low: float
    high: float


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a proportion (Wilson 1927), as statsmodels computes it.

    Args:
        successes: for instance the number of test images classified correctly.
        trials: the number of independent test images.

    Raises:
        ValueError: there are no trials, or more successes than trials.
    """
    from statsmodels.stats.proportion import proportion_confint

    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is no proportion")
    low, high = proportion_confint(successes, trials, alpha=1 - confidence, method="wilson")
    # At 0 and 1 the bounds are exact, but for rounding.
    low = 0.0 if successes == 0 else float(low)
    high = 1.0 if successes == trials else float(high)
    return Interval(successes / trials, low, high)


def bootstrap_statistic(
    per_unit: np.ndarray,
    statistic: Callable[[np.ndarray], float],
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap of any statistic of independent units (Efron & Tibshirani 1993, chapter 13).

    Args:
        per_unit: [N, ...], one entry per independently sampled unit (image, class, scene).
        statistic: maps a resample [N, ...] to a number. Called once per resample: for statistics of sums use
            the much faster `bootstrap_sums`.
    """
    import numpy as np

    per_unit = np.asarray(per_unit)
    _check_units(len(per_unit))
    generator = np.random.default_rng(seed)
    draws = generator.integers(len(per_unit), size=(resamples, len(per_unit)))
    values = np.array([statistic(per_unit[indices]) for indices in draws], dtype=float)
    return _percentiles(float(statistic(per_unit)), values, confidence)


def bootstrap_sums(
    per_unit: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray],
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap of a statistic that depends on sums over units alone: accuracy, mIoU, a mean.

    Args:
        per_unit: [N, K], one row of addends per independently sampled unit, for instance (correct, total) of
            a class, or the flattened confusion counts of an image.
        statistic: maps sums [..., K] to values [...]; called on all resamples at once.
    """
    import numpy as np

    per_unit = np.asarray(per_unit, dtype=float)
    units = len(per_unit)
    _check_units(units)
    generator = np.random.default_rng(seed)
    values = []
    block = max(1, 2**22 // units)  # counts of drawn units: 32 MiB at a time, however many units there are
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        draws = generator.integers(units, size=(size, units)) + units * np.arange(size)[:, None]
        counts = np.bincount(draws.ravel(), minlength=size * units).reshape(size, units)
        values.append(np.asarray(statistic(counts @ per_unit), dtype=float))
    point = float(np.asarray(statistic(per_unit.sum(axis=0))))
    return _percentiles(point, np.concatenate(values), confidence)


def cluster_bootstrap_mean(values: np.ndarray, clusters: np.ndarray, **options: float) -> Interval:
    """Interval of a mean when values of one cluster are not independent: whole clusters are drawn.

    Args:
        values: [N], for instance 1.0 where a test image was classified correctly.
        clusters: [N], for instance the class of each image, whose images share one drawing.
        options: resamples, confidence and seed, as for `bootstrap_sums`.
    """
    import numpy as np

    _, index = np.unique(np.asarray(clusters), return_inverse=True)
    sums = np.bincount(index, weights=np.asarray(values, dtype=float))
    return bootstrap_sums(np.stack([sums, np.bincount(index)], axis=1), _ratio, **options)


def _ratio(sums: np.ndarray) -> np.ndarray:
    return sums[..., 0] / sums[..., 1]


def _check_units(units: int) -> None:
    if units < 2:
        raise ValueError(f"an interval needs at least two units to draw from, there are {units}")


def _percentiles(point: float, values: np.ndarray, confidence: float) -> Interval:
    import numpy as np

    # A resample may leave a statistic undefined (a class without pixels); those draws say nothing.
    low, high = np.nanquantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(point, float(low), float(high))
