"""Intervals of means over classes of ratios of sums over images: mIoU, mAcc, aAcc."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit
from scipy.stats import t as student

from benchmark.statistics.interval import Interval

# Between the 1/2 of HC2 and the 1 of HC3 (MacKinnon & White 1985): in simulated worlds of 100 images the
# former gave intervals too narrow and the latter too wide (tests/calibration/coverage.py).
_LEVERAGE_POWER = 0.75


def mean_ratio(part: np.ndarray, whole: np.ndarray, confidence: float = 0.95) -> Interval:
    """Interval of the population's mean over classes of ``sum(part) / sum(whole)``, a share of one.

    Each ratio is linearised in the images; an image's residual is raised by the share of the class that it
    holds, because it has pulled the ratio towards itself. The bias is the second order of the same expansion.
    The interval is made on the logit scale, with Student's quantile for as many degrees of freedom as the
    images' contributions are worth (few large ones are worth little).

    Args:
        part, whole: [N, K], non-negative addends of each image and class, 0 <= part <= whole.

    Returns:
        Classes that are nowhere take no part: the interval is for the mean over the others. Value NaN where
        all are nowhere.

    Raises:
        ValueError: there are fewer than two images.
    """
    images = len(part)
    if images < 2:
        raise ValueError(f"an interval needs at least two images, there are {images}")
    part, whole = np.asarray(part, dtype=float), np.asarray(whole, dtype=float)
    present = whole.sum(axis=0) > 0
    if not present.any():
        return Interval(np.nan, np.nan, np.nan)
    part, whole = part[:, present], whole[:, present]
    total = whole.sum(axis=0)
    ratio = part.sum(axis=0) / total
    residual, leverage = (part - ratio * whole) / total, whole / total
    value, bias = float(ratio.mean()), float(-(residual * leverage).sum(axis=0).mean())
    centre = value - bias
    variance, freedom = _variance(residual, leverage)
    if not 0 < centre < 1:  # at an end of the scale: nothing varies, or next to nothing
        return Interval(value, value, value, bias)
    error = np.sqrt(variance) / (centre * (1 - centre))
    half = student.ppf((1 + confidence) / 2, freedom) * error
    return Interval(value, float(expit(logit(centre) - half)), float(expit(logit(centre) + half)), bias)


def _variance(residual: np.ndarray, leverage: np.ndarray) -> tuple[float, float]:
    """Variance of the mean over classes and its degrees of freedom, from [N, K] of images and classes."""
    images, classes = residual.shape
    raised = residual / np.maximum(1 - leverage, 0.1) ** _LEVERAGE_POWER
    contribution = raised.mean(axis=1)
    squares = np.square(contribution)
    variance = squares.sum() * images / (images - 1)
    # A class that is in one image alone shows no variance: it gets that of the others per effective image.
    effective = 1 / np.square(leverage).sum(axis=0)
    lone, common = effective < 1.5, effective > 2
    if lone.any() and common.any():
        variance += lone.sum() * (np.square(raised).sum(axis=0) * effective)[common].mean() / classes**2
    fourth = np.square(squares).sum()
    freedom = 2 * squares.sum() ** 2 / fourth if fourth > 0 else images - 1.0
    return float(variance), float(min(freedom, images - 1))
