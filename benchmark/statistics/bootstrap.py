"""Percentile bootstrap of statistics that depend on sums over units."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from benchmark.statistics.interval import Interval

if TYPE_CHECKING:
    import numpy as np


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


def _check_units(units: int) -> None:
    if units < 2:
        raise ValueError(f"an interval needs at least two units to draw from, there are {units}")


def _percentiles(point: float, values: np.ndarray, confidence: float) -> Interval:
    import numpy as np

    # A resample may leave a statistic undefined (a class without pixels); those draws say nothing.
    low, high = np.nanquantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(point, float(low), float(high))
