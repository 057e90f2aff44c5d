"""Intervals of a proportion: of independent images, and of images that come in clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark.statistics.interval import Interval

if TYPE_CHECKING:
    import numpy as np


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


def cluster_interval(correct: np.ndarray, clusters: np.ndarray, confidence: float = 0.95) -> Interval:
    """Interval of a proportion over clusters whose images are not independent of each other.

    The population is that of clusters. Wilson's interval for as many independent images as would vary as much
    as the clusters do (the *effective sample size* p (1 - p) / variance), with Student's quantile for the
    number of clusters (Korn & Graubard 1998; Franco, Little, Louis & Slud 2019). Where all images are right,
    or none is, the clusters do not show how they vary: each then counts as one image.

    Args:
        correct: [N], 1 where a test image was classified correctly.
        clusters: [N], for instance the class of each image, whose images share one drawing.

    Raises:
        ValueError: there are fewer than two clusters.
    """
    import numpy as np
    from scipy.stats import t

    _, index, sizes = np.unique(np.asarray(clusters), return_inverse=True, return_counts=True)
    groups, images = len(sizes), len(index)
    if groups < 2:
        raise ValueError(f"an interval needs at least two clusters to draw from, there are {groups}")
    hits = np.bincount(index, weights=np.asarray(correct, dtype=float))
    value = hits.sum() / images
    residuals = hits - value * sizes
    variance = groups / (groups - 1) * np.square(residuals).sum() / images**2
    effective = value * (1 - value) / variance if 0 < value < 1 and variance > 0 else groups
    effective = min(effective, images)
    quantile = t.ppf((1 + confidence) / 2, groups - 1)
    shrink = 1 + quantile**2 / effective
    centre = (value + quantile**2 / (2 * effective)) / shrink
    half = quantile / shrink * np.sqrt(value * (1 - value) / effective + (quantile / effective) ** 2 / 4)
    return Interval(float(value), max(0.0, float(centre - half)), min(1.0, float(centre + half)))
