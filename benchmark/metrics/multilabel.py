"""Average precision of images that may show several classes."""

from __future__ import annotations

import numpy as np

from benchmark.records.schema import Metric
from benchmark.statistics.coverage import coverage
from benchmark.statistics.difference import Difference
from benchmark.statistics.interval import Interval

RESAMPLES = 500
SPLITS = 50
"""How often the images are halved, to see how average precision grows as they get fewer."""
FEWER_RESAMPLES = 200
"""Of comparisons, of which a report makes many: an error needs fewer draws than the ends of an interval."""
DECAY = 0.8
"""Bias falls with this power of the number of images; settled on other worlds than those of the table."""
WIDER = 1.1
"""Factor of the bootstrap's spread: it has no say of how far the bias is off."""
CHUNK = 2**22
"""Weights that are summed up at a time."""

AVERAGES = ("mAP", "mAP_micro", "mAP_weighted")


def measure(
    labels: np.ndarray, scores: np.ndarray, resamples: int = RESAMPLES, splits: int = SPLITS
) -> dict[str, Metric]:
    """Mean average precision in percent: macro (``mAP``), micro and weighted by how frequent classes are.

    Classes that no image shows count in none of them. The intervals are for the population of images; see
    `intervals`.

    Args:
        labels: [N, K] bool.
        scores: [N, K], any that rank.

    Raises:
        ValueError: no image shows any class.
    """
    if not labels.any():
        raise ValueError("no image shows any class")
    number = len(labels)
    if number < 4:
        return {name: Metric(value=100 * v[0], n=number) for name, v in averages(labels, scores).items()}
    metrics = {}
    for name, found in intervals(labels, scores, resamples, splits).items():
        value, low, high, bias = (100 * part for part in found)
        metrics[name] = Metric(
            value=value,
            low=low,
            high=high,
            bias=bias,
            n=number,
            method="half-samples over images",
            truth="population of images",
            coverage=coverage(f"multi-label {name}", number, value),
        )
    return metrics


def intervals(
    labels: np.ndarray, scores: np.ndarray, resamples: int = RESAMPLES, splits: int = SPLITS
) -> dict[str, Interval]:
    """95 % intervals of the population's values, between 0 and 1: name of `AVERAGES` -> interval.

    Average precision is biased upward on few images, and a bootstrap, whose resamples have fewer different
    ones still, sees too little of that. How much higher it is on random halves of the images tells how much
    too high it is on all of them (``2 ** DECAY - 1`` of that difference); the width is the bootstrap's.

    Args:
        labels: [N, K] bool, N >= 4.
        scores: [N, K].
        resamples: of the bootstrap.
        splits: into halves.
    """
    drawn, halves = _samples(len(labels), resamples, splits)
    plain, again, halved = (averages(labels, scores, weights) for weights in (None, drawn, halves))
    found = {}
    for name, value in plain.items():
        value = float(value[0])
        bias = (float(np.nanmean(halved[name])) - value) / (2**DECAY - 1)
        half = WIDER * 1.96 * float(np.nanstd(again[name]))
        low, high = np.clip((value - bias - half, value - bias + half), 0, 1)
        found[name] = Interval(value, float(low), float(high), bias)
    return found


def difference(labels: np.ndarray, first: np.ndarray, second: np.ndarray) -> dict[str, Difference]:
    """Two models' averages on the same images compared, between -1 and 1: name of `AVERAGES` -> difference.

    The bootstrap draws the same images for both. Nothing is done about the biases, which cancel but for a
    rest that halves are too noisy to tell: freed of what they say, intervals held the truth less often.

    Args:
        labels: [N, K] bool, N >= 4.
        first, second: [N, K], the models' scores.
    """
    drawn, _ = _samples(len(labels), FEWER_RESAMPLES, 0)
    found = [[averages(labels, scores, weights) for weights in (None, drawn)] for scores in (first, second)]
    differences = {}
    for name in AVERAGES:
        value, again = (one[name] - other[name] for one, other in zip(*found, strict=True))
        differences[name] = Difference(float(value[0]), float(value[0]), WIDER * float(np.nanstd(again)))
    return differences


def averages(
    labels: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """The means of average precision, between 0 and 1: name of `AVERAGES` -> [R].

    Args:
        weights: [R, N], how often each image counts; None: R = 1, each once.
    """
    weights = np.ones((1, len(labels))) if weights is None else weights
    chunk = max(1, CHUNK // labels.size)
    starts = range(0, len(weights), chunk)
    parts = [_averages(labels, scores, weights[start : start + chunk]) for start in starts]
    return {name: np.concatenate([part[name] for part in parts]) for name in AVERAGES}


def average_precision(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average precision as scikit-learn defines it, ties included: [R], NaN without positives.

    Args:
        labels: [N] bool.
        scores: [N].
        weights: [R, N].
    """
    order = np.argsort(-scores, kind="stable")
    sorted_scores = scores[order]
    ends = np.append(np.flatnonzero(np.diff(sorted_scores)), len(scores) - 1)
    sorted_weights = weights[:, order]
    all_above = np.cumsum(sorted_weights, axis=1)[:, ends]
    right_above = np.cumsum(sorted_weights * labels[order], axis=1)[:, ends]
    gained = np.diff(right_above, axis=1, prepend=0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(all_above > 0, right_above / all_above, 0.0)
        return (precision * gained).sum(1) / right_above[:, -1]


def _samples(number: int, resamples: int, splits: int) -> tuple[np.ndarray, np.ndarray]:
    """How often each of so many images counts in resamples [R, N] and in halves [2 · splits, N]."""
    generator = np.random.default_rng(0)
    drawn = generator.multinomial(number, np.full(number, 1 / number), size=resamples).astype(np.float64)
    halves = np.zeros((2 * splits, number))
    for split in range(splits):
        order = generator.permutation(number)
        halves[2 * split, order[: number // 2]] = halves[2 * split + 1, order[number // 2 :]] = 1
    return drawn, halves


def _averages(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    each = np.stack(
        [average_precision(labels[:, k], scores[:, k], weights) for k in range(labels.shape[1])], axis=1
    )
    shown = weights @ labels
    classes = labels.shape[1]
    return {
        "mAP": np.nanmean(each, axis=1),
        "mAP_micro": average_precision(labels.ravel(), scores.ravel(), np.repeat(weights, classes, axis=1)),
        "mAP_weighted": np.nansum(each * shown, axis=1) / shown.sum(1),
    }
