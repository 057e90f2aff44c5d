"""Intervals of COCO's average precision for the population's value, by sub-samples.

Interpolated precision is the greatest precision from a recall on. Of a small set the greatest is partly luck:
AP is biased upward, by several points on 100 images. Resampling with replacement cannot tell by how much
(copies of an image agree with each other, which flatters AP by itself); halves and quarters without
replacement can. Of sets of n, n/2 and n/4 images the bias is about c / n^g. The exponent g is about 1/2 where
precision stays level over the recalls, and 1 where it falls steeply.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

from benchmark.statistics.difference import Difference
from benchmark.statistics.interval import Interval

SPLITS = {2: 20, 4: 8}
"""Number of parts -> how often the images are split into so many."""

FEWEST = max(SPLITS)
"""Images that an interval needs."""

# The exponent as found in simulated worlds: its mean and spread over worlds, and how much greater it is from
# n on than it was between n/4 and n. tests/calibration/coverage.py shows what they are good for.
_EXPONENT, _SPREAD, _GROWTH = 0.5, 0.2, 0.18
_LIMITS = (0.35, 1.3)


class Parts(NamedTuple):
    """Average precision of each class, on all images and on parts of them, NaN where there is no object.

    Attributes:
        full: [K], on all images.
        parts: 2 and 4 -> [R, K], on the halves and quarters that `splits` gives.
        objects: [K], of each class in all images.
    """

    full: np.ndarray
    parts: dict[int, np.ndarray]
    objects: np.ndarray


def splits(images: int, seed: int = 0) -> dict[int, np.ndarray]:
    """Random splits of the images into halves and quarters.

    Returns:
        Number of parts -> [splits · parts, images], 1 where an image is in the part; parts of one split are
        neighbours.

    Raises:
        ValueError: there are fewer than four images.
    """
    if images < FEWEST:
        raise ValueError(f"an interval of AP needs at least {FEWEST} images, there are {images}")
    generator = np.random.default_rng(seed)
    rows = {}
    for parts, times in SPLITS.items():
        part = np.arange(images) * parts // images
        drawn = np.stack([generator.permutation(part) for _ in range(times)])
        rows[parts] = (drawn[:, None] == np.arange(parts)[:, None]).reshape(-1, images).astype(int)
    return rows


def subsampled_mean(
    full: np.ndarray, parts: dict[int, np.ndarray], objects: np.ndarray, confidence: float = 0.95
) -> Interval | None:
    """Interval of the population's mean AP over classes.

    The estimate less its bias, plus and minus Student's quantile times the standard error. The bias is the
    mean rise from the whole to its halves, extrapolated by the exponent; that is estimated from halves and
    quarters and drawn towards what it commonly is, as far as it is uncertain. The standard error is that of
    the difference between complementary halves, and of the exponent.

    Args:
        full: [K] AP of each class on all images, NaN for a class without objects.
        parts: 2 and 4 -> [R, K] AP on the parts `splits` gives, NaN where a part has no such object.
        objects: [K], of each class.

    Returns:
        Value, bounds and bias in the unit of `full`, bounds not below zero; None where no class has objects
        in both halves of any split. Classes without objects take no part: the interval is for the mean over
        the others.
    """
    present = np.isfinite(full)
    full, objects = full[present], np.asarray(objects)[present]
    halves, quarters = (parts[number][:, present] for number in (2, 4))
    difference = halves[0::2] - halves[1::2]
    both = np.isfinite(difference)
    if not both.any():
        return None
    value = float(full.mean())
    # Per class; a class no half (quarter) of which has objects beside the whole says nothing of the bias.
    rise, steep = _mean(halves - full), _mean(quarters - full)
    usable = np.isfinite(rise)
    first = float(rise[usable].mean())
    exponent, doubt = _exponent(rise, steep)
    bias = max(first, 0.0) / (2**exponent - 1)
    slope = bias * np.log(2) * 2**exponent / (2**exponent - 1)  # of the bias against the exponent
    variance = _variance(difference, both, objects) + (slope * doubt) ** 2
    half = student.ppf((1 + confidence) / 2, len(difference) - 1) * np.sqrt(variance)
    return Interval(value, max(0.0, value - bias - half), max(0.0, value - bias + half), bias)


def difference(first: Parts, second: Parts) -> Difference | None:
    """Difference of two models' mean AP over classes, on the same images.

    Both were measured on the same halves and quarters, so that what is easy or hard for both cancels. The
    difference of the biases is the difference of the rises to halves, extrapolated by one exponent for both.

    Args:
        first, second: in the unit of the result.

    Returns:
        None where no class has objects in both halves of any split.

    Raises:
        ValueError: the two are not of the same images.
    """
    if not np.array_equal(first.objects, second.objects):
        raise ValueError("the two models were not measured on the same images")
    present = np.isfinite(first.full)
    objects = np.asarray(first.objects)[present]
    one, other = (
        Parts(each.full[present], {n: part[:, present] for n, part in each.parts.items()}, objects)
        for each in (first, second)
    )
    apart = one.parts[2] - other.parts[2]
    halves = apart[0::2] - apart[1::2]
    both = np.isfinite(halves)
    if not both.any():
        return None
    rises, steeps = ([_mean(each.parts[number] - each.full) for each in (one, other)] for number in (2, 4))
    usable = np.isfinite(rises[0] - rises[1])
    exponent, doubt = _exponent(sum(rises), sum(steeps))
    bias = float((rises[0] - rises[1])[usable].mean()) / (2**exponent - 1)
    slope = bias * np.log(2) * 2**exponent / (2**exponent - 1)
    variance = _variance(halves, both, objects) + (slope * doubt) ** 2
    value = float(one.full.mean() - other.full.mean())
    return Difference(value, value - bias, float(np.sqrt(variance)), len(halves) - 1)


def _exponent(rise: np.ndarray, steep: np.ndarray) -> tuple[float, float]:
    """The bias's exponent and its standard error, from the rise to halves and to quarters by class [K]."""
    usable = np.isfinite(rise) & np.isfinite(steep)
    total = rise[usable].sum()
    if not total > 1e-9:
        return _EXPONENT, _SPREAD
    # c / n^g rises by c (2^g - 1) to halves and c (4^g - 1) to quarters: their ratio is 2^g + 1.
    ratio = float(np.clip(steep[usable].sum() / total, 2.1, 4.0))
    local = np.log2(ratio - 1) + _GROWTH
    error = np.sqrt(np.square(steep[usable] - ratio * rise[usable]).sum()) / total / ((ratio - 1) * np.log(2))
    trust = _SPREAD**2 / (_SPREAD**2 + error**2)
    return float(np.clip(_EXPONENT + trust * (local - _EXPONENT), *_LIMITS)), float(np.sqrt(trust) * error)


def _variance(difference: np.ndarray, both: np.ndarray, objects: np.ndarray) -> float:
    """Sampling variance of the mean over classes, from differences of complementary halves [S, K].

    Where a class is in one half only, the split says nothing of it: its variance there is taken from the
    other classes, as inversely proportional to the number of objects.
    """
    classes = difference.shape[1]
    known = np.where(both, difference, 0.0)
    variance = np.square(known.sum(axis=1) / classes).mean() / 4
    share = both.mean(axis=0)
    each = np.square(known).sum(axis=0) / np.maximum(both.sum(axis=0), 1) / 4
    common = share > 0.8 if (share > 0.8).any() else share > 0
    unit = (objects * each)[common].mean()
    return float(variance + ((1 - share) * unit / objects).sum() / classes**2)


def _mean(table: np.ndarray) -> np.ndarray:
    """Mean over rows of what is defined."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of columns without anything
        return np.nanmean(table, axis=0)
