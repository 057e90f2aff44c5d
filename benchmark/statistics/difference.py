"""The difference of two models on the same test set: an estimate, how far it could be off, and its tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isinf
from typing import NamedTuple

import numpy as np
from scipy import stats


class Difference(NamedTuple):
    """First model less second, in the unit of the values that went in.

    Attributes:
        value: of the plain figures, as tables show them.
        estimate: of the population's values: `value` without the estimated difference of the figures' biases.
        error: standard error of `estimate`.
        freedom: degrees of freedom of Student's distribution that `estimate` is judged by.
        p_equal: p-value of no difference by an exact test, where there is one.
    """

    value: float
    estimate: float
    error: float
    freedom: float = inf
    p_equal: float | None = None

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Of the difference on an endless test set of the same kind."""
        half = self._quantile((1 + confidence) / 2) * self.error
        return self.estimate - half, self.estimate + half

    def p_value(self, null: float = 0.0, alternative: str = "two-sided") -> float:
        """Chance of a difference as far from `null`, were that the truth.

        Args:
            null: difference that is to be rejected.
            alternative: ``two-sided``, ``greater`` or ``less``.
        """
        if null == 0 and alternative == "two-sided" and self.p_equal is not None:
            return self.p_equal
        distance = self.estimate - null
        if self.error == 0:
            beyond = {"two-sided": distance != 0, "greater": distance > 0, "less": distance < 0}
            return 0.0 if beyond[alternative] else 1.0
        upper = self._survival(distance / self.error)
        chances = {"greater": upper, "less": 1 - upper, "two-sided": 2 * min(upper, 1 - upper)}
        return float(chances[alternative])

    def scaled(self, factor: float) -> Difference:
        """In another unit, or by -1 the other way round."""
        return self._replace(
            value=factor * self.value, estimate=factor * self.estimate, error=abs(factor) * self.error
        )

    def _quantile(self, share: float) -> float:
        return float(stats.norm.ppf(share) if isinf(self.freedom) else stats.t.ppf(share, self.freedom))

    def _survival(self, value: float) -> float:
        return float(stats.norm.sf(value) if isinf(self.freedom) else stats.t.sf(value, self.freedom))


def of_shares(first: np.ndarray, second: np.ndarray, clusters: np.ndarray | None = None) -> Difference:
    """Difference of the means of two models' values, each between 0 and 1, on the same images.

    The error is that of the mean of the images' differences (over clusters: of their sums), with two images
    more, of which each model wins one: as Bonett & Price (2012) have it for right and wrong, whose interval
    holds the truth also where next to no image tells the models apart. Where each image is right or wrong and
    independent of the others, equality is tested by McNemar's mid-p (Fagerland, Lydersen & Laake 2013).

    Args:
        first, second: [N].
        clusters: [N], what images are of that are not independent; None: each by itself.

    Raises:
        ValueError: there are fewer than two images or clusters.
    """
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    difference = first - second
    number = len(difference)
    names = np.arange(number) if clusters is None else np.asarray(clusters)
    _, place, sizes = np.unique(names, return_inverse=True, return_counts=True)
    groups = len(sizes)
    if groups < 2:
        raise ValueError(f"a comparison needs at least two images or clusters, there are {groups}")
    sums = np.concatenate([np.bincount(place, weights=difference), [1.0, -1.0]])
    sizes = np.concatenate([sizes, [1, 1]])
    residual = sums - sums.sum() / sizes.sum() * sizes
    variance = (groups + 2) / (groups + 1) * np.square(residual).sum() / sizes.sum() ** 2
    value = float(difference.mean())
    binary = clusters is None and np.isin(difference, (-1.0, 0.0, 1.0)).all()
    p_equal = mcnemar(int((difference > 0).sum()), int((difference < 0).sum())) if binary else None
    return Difference(value, value, float(np.sqrt(variance)), groups - 1, p_equal)


def mcnemar(first: int, second: int) -> float:
    """Mid-p value of McNemar's test.

    Args:
        first, second: images that the one model alone got right, and the other alone.
    """
    number = first + second
    if number == 0:
        return 1.0
    least = min(first, second)
    tail = 2 * stats.binom.cdf(least, number, 0.5) - stats.binom.pmf(least, number, 0.5)
    return float(min(1.0, tail if first != second else 1.0))


class Repeated(NamedTuple):
    """Differences of several repetitions in one, the two sources of its error apart.

    Attributes:
        both: the mean difference with all of its error.
        by_images: standard error by the test set alone, which all repetitions share.
        by_seeds: standard error by seeds alone; None where there is one repetition.
        repetitions: how many.
        pretrainings: over how many pre-trainings; seeds of pre-training move figures otherwise than those of
            the transfer, and where there are several they are what the error is over.
    """

    both: Difference
    by_images: float
    by_seeds: float | None
    repetitions: int
    pretrainings: int


def over_seeds(found: Mapping[int | None, Sequence[Difference]]) -> Repeated:
    """One difference from those of repetitions: images and seeds are both samples.

    The error by images is not divided by the repetitions, whose test set is one. The error by seeds is that
    of the mean over pre-trainings, or with a single one over transfers. Degrees of freedom are those of
    Satterthwaite.

    Args:
        found: pre-training seed -> the differences of its transfers.

    Raises:
        ValueError: there is none.
    """
    groups = [list(group) for group in found.values() if group]
    every = [difference for group in groups for difference in group]
    if not every:
        raise ValueError("no repetition is there to be compared")
    images = float(np.sqrt(np.mean([difference.error**2 for difference in every])))
    value, estimate = (
        float(np.mean([np.mean([getattr(d, name) for d in group]) for group in groups]))
        for name in ("value", "estimate")
    )
    if len(every) == 1:
        return Repeated(every[0], images, None, 1, 1)
    units = [np.mean([d.estimate for d in group]) for group in groups]
    if len(units) == 1:
        units = [d.estimate for d in every]
    seeds = float(np.std(units, ddof=1) / np.sqrt(len(units)))
    terms = [(images**2, min(d.freedom for d in every)), (seeds**2, len(units) - 1)]
    total = sum(variance for variance, _ in terms)
    spread = sum(variance**2 / freedom for variance, freedom in terms)
    freedom = total**2 / spread if spread > 0 else inf
    both = Difference(value, estimate, total**0.5, freedom)
    return Repeated(both, images, seeds, len(every), len(groups))
