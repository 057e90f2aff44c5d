"""Intervals of means over classes of ratios of sums over images: mIoU, mAcc, aAcc."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit
from scipy.stats import t as student

from benchmark.statistics.difference import Difference
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
    found = _linearised(part, whole)
    if found is None:
        return Interval(np.nan, np.nan, np.nan)
    centre = found.value - found.bias
    variance, freedom = _variance(found.contribution, found.leverage)
    if not 0 < centre < 1:  # at an end of the scale: nothing varies, or next to nothing
        return Interval(found.value, found.value, found.value, found.bias)
    error = np.sqrt(variance) / (centre * (1 - centre))
    half = student.ppf((1 + confidence) / 2, freedom) * error
    bounds = (float(expit(logit(centre) + side * half)) for side in (-1, 1))
    return Interval(found.value, *bounds, found.bias)


def difference(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]
) -> Difference | None:
    """Difference of two models' means over classes of ratios, on the same images.

    An image's contributions to both means are subtracted before their spread is taken, so that what is easy
    or hard for both cancels.

    Args:
        first, second: part and whole of each, as of `mean_ratio`, of the same images in the same order.

    Returns:
        None where of one of them all classes are nowhere.

    Raises:
        ValueError: the images differ in number, or there are fewer than two.
    """
    if len(first[0]) != len(second[0]):
        raise ValueError(f"{len(first[0])} and {len(second[0])} images are not the same")
    one, other = _linearised(*first), _linearised(*second)
    if one is None or other is None:
        return None
    contribution, leverage = one.contribution - other.contribution, np.maximum(one.leverage, other.leverage)
    variance, freedom = _variance(contribution, leverage)
    value = one.value - other.value
    return Difference(value, value - (one.bias - other.bias), float(np.sqrt(variance)), freedom)


class _Linearised(NamedTuple):
    """Mean ratio, its bias; of each image and class [N, K] what it adds to the mean's error, and its share of
    the class.
    """

    value: float
    bias: float
    contribution: np.ndarray
    leverage: np.ndarray


def _linearised(part: np.ndarray, whole: np.ndarray) -> _Linearised | None:
    images = len(part)
    if images < 2:
        raise ValueError(f"an interval needs at least two images, there are {images}")
    part, whole = np.asarray(part, dtype=float), np.asarray(whole, dtype=float)
    total = whole.sum(axis=0)
    present = total > 0
    if not present.any():
        return None
    total = np.where(present, total, 1.0)
    ratio = part.sum(axis=0) / total
    residual, leverage = (part - ratio * whole) / total, whole / total
    value, bias = float(ratio[present].mean()), float(-(residual * leverage).sum(axis=0)[present].mean())
    raised = residual / np.maximum(1 - leverage, 0.1) ** _LEVERAGE_POWER
    return _Linearised(value, bias, raised / present.sum(), leverage)


def _variance(contribution: np.ndarray, leverage: np.ndarray) -> tuple[float, float]:
    """Variance of a sum over classes and its degrees of freedom, from [N, K] of images and classes."""
    images = len(contribution)
    squares = np.square(contribution.sum(axis=1))
    variance = squares.sum() * images / (images - 1)
    # A class that is in one image alone shows no variance: it gets that of the others per effective image.
    weight = np.square(leverage).sum(axis=0)
    effective = 1 / np.where(weight > 0, weight, np.inf)
    lone, common = (effective > 0) & (effective < 1.5), effective > 2
    if lone.any() and common.any():
        variance += lone.sum() * (np.square(contribution).sum(axis=0) * effective)[common].mean()
    fourth = np.square(squares).sum()
    freedom = 2 * squares.sum() ** 2 / fourth if fourth > 0 else images - 1.0
    return float(variance), float(min(freedom, images - 1))
