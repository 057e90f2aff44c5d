"""Average precision of images that may show several classes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmark.records.schema import Metric
from benchmark.statistics.coverage import coverage

RESAMPLES = 1000
CHUNK = 2**22
"""Weights that are summed up at a time."""

AVERAGES = ("mAP", "mAP_micro", "mAP_weighted")


def measure(labels: np.ndarray, scores: np.ndarray, resamples: int = RESAMPLES) -> dict[str, Metric]:
    """Mean average precision in percent: macro (``mAP``), micro and weighted by how frequent classes are.

    Classes that no image shows count in none of them. The intervals are for the population of images: the
    bootstrap over images, reflected (2v - q), because average precision is biased upward on few images, and
    a resample has fewer different ones still.

    Args:
        labels: [N, K] bool.
        scores: [N, K], any that rank.

    Raises:
        ValueError: no image shows any class.
    """
    if not labels.any():
        raise ValueError("no image shows any class")
    found = averages(labels, scores)
    number = len(labels)
    if number < 2:
        return {name: Metric(value=100 * value[0], n=number) for name, value in found.items()}
    generator = np.random.default_rng(0)
    drawn = generator.multinomial(number, np.full(number, 1 / number), size=resamples).astype(np.float64)
    again = averages(labels, scores, drawn)
    metrics = {}
    for name, value in found.items():
        value = 100 * float(value[0])
        low, high = (
            float(np.clip(2 * value - 100 * np.nanquantile(again[name], level), 0, 100))
            for level in (0.975, 0.025)
        )
        metrics[name] = Metric(
            value=value,
            low=min(low, value),
            high=max(high, value),
            bias=100 * float(np.nanmean(again[name])) - value,
            n=number,
            method="basic bootstrap over images",
            truth="population of images",
            coverage=coverage(f"multi-label {name}", number, value),
        )
    return metrics


def averages(
    labels: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """The means of average precision, between 0 and 1: name of `AVERAGES` -> [R].

    Args:
        weights: [R, N], how often each image counts; None: R = 1, each once.
    """
    weights = np.ones((1, len(labels))) if weights is None else weights
    chunk = max(1, CHUNK // labels.size)
    parts = [_averages(labels, scores, some) for some in _chunks(weights, chunk)]
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


def _chunks(weights: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(weights), size):
        yield weights[start : start + size]
