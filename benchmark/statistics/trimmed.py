"""Ratios of times that were taken in turns on a machine that others use, too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import t as student

from benchmark.statistics.interval import Interval

LEAST = 5
"""Rounds below which nothing is left to say when the ends are dropped."""


def paired_ratio(
    numerator: Sequence[float], denominator: Sequence[float], confidence: float = 0.95
) -> Interval:
    """The typical ratio of two times, from rounds in each of which both were taken one after the other.

    What slows a whole round down cancels, and `trimmed_mean` is taken of the rounds' ratios.

    Args:
        numerator, denominator: [R] seconds, R >= `LEAST`, of the same rounds in the same order.

    Raises:
        ValueError: too few rounds, or times that are not positive.
    """
    above, below = np.asarray(numerator, dtype=float), np.asarray(denominator, dtype=float)
    if above.shape != below.shape:
        raise ValueError(f"rounds of both are needed: {len(above)} and {len(below)}")
    if not all(np.isfinite(times).all() and (times > 0).all() for times in (above, below)):
        raise ValueError("times are positive numbers")
    return trimmed_mean(above / below, confidence)


def trimmed_mean(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Geometric mean without the lowest and the highest value, so that one disturbance counts for nothing.

    MLPerf drops its fastest and slowest runs in this way. The interval is Yuen's (Biometrika 1974, for one
    sample), on the logarithmic scale: the spread is that of the values with the dropped ones drawn in to
    their neighbours.

    Args:
        values: [R] positive numbers, R >= `LEAST`.

    Returns:
        The mean, and an interval for what endless rounds in these conditions would give.

    Raises:
        ValueError: too few values.
    """
    if len(values) < LEAST:
        raise ValueError(f"at least {LEAST} rounds are needed, there are {len(values)}")
    logs = np.sort(np.log(np.asarray(values, dtype=float)))
    kept = logs[1:-1]
    drawn_in = np.clip(logs, kept[0], kept[-1])
    error = drawn_in.std(ddof=1) * np.sqrt((len(logs) - 1) / (len(kept) * (len(kept) - 1)))
    half = student.ppf((1 + confidence) / 2, len(kept) - 1) * error
    return Interval(*(float(np.exp(kept.mean() + side * half)) for side in (0, -1, 1)))
