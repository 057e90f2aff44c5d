"""Accuracy of a classifier: top-1 and top-5 with their intervals, and what became of each image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from benchmark.records.schema import Metric
from benchmark.statistics.coverage import coverage
from benchmark.statistics.interval import Interval
from benchmark.statistics.proportions import cluster_interval, wilson_interval

if TYPE_CHECKING:
    import pandas

ALL_PROBABILITIES = 1000
"""Classes up to which every image's probabilities are kept: 200 MB for ImageNet's 50,000 images."""

Units = Literal["images", "classes"]
"""What was sampled independently, which intervals are over: ``classes`` where all images of a class share one
drawing."""


def measure(labels: np.ndarray, probabilities: np.ndarray, units: Units = "images") -> dict[str, Metric]:
    """top1, and top5 of ten classes or more, in percent.

    Args:
        labels: [N] int64.
        probabilities: [N, K], or any scores that rank alike.
        units: what the intervals are over. Over classes there is none where all images are of one class, and
            what taking images for independent gives is added as ``top1_over_images``.
    """
    metrics = {}
    for name, hit in hits(labels, probabilities).items():
        interval = wilson_interval(int(hit.sum()), len(labels))
        over_images = _percent(interval, len(labels), "images", "wilson")
        if units == "images":
            metrics[name] = over_images
            continue
        present = len(np.unique(labels))
        if present >= 2:
            interval = cluster_interval(hit, labels)
            metrics[name] = _percent(interval, present, "classes", "wilson (effective sample)")
        else:
            metrics[name] = Metric(value=over_images.value, n=present)
        metrics[f"{name}_over_images"] = over_images
    return metrics


def of_shares(shares: np.ndarray, labels: np.ndarray, units: Units = "images") -> Metric:
    """The mean of figures between 0 and 1 that test images have, in percent.

    Args:
        shares: [N], for instance how many of several classifiers were right.
        labels: [N] int64.
        units: what the interval is over; there is none where that is fewer than two.
    """
    clusters = labels if units == "classes" else np.arange(len(labels))
    number = len(np.unique(clusters))
    if number < 2:
        return Metric(value=100 * float(shares.mean()), n=number)
    found = _percent(cluster_interval(shares, clusters), number, units, "wilson (effective sample)")
    return found.model_copy(update={"coverage": None})  # which was simulated for right or wrong alone


def hits(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, np.ndarray]:
    """[N] bool: whether the label is the likeliest class (top1), among the five likeliest of ten or more
    classes (top5).
    """
    found = {"top1": probabilities.argmax(1) == labels}
    if probabilities.shape[1] >= 10:
        best = np.argpartition(probabilities, -5, axis=1)[:, -5:]
        found["top5"] = (best == labels[:, None]).any(1)
    return found


def per_image(paths: list[str], labels: np.ndarray, probabilities: np.ndarray) -> pandas.DataFrame:
    """One row per image: path, label, prediction, whether it is correct, and the label's probability.

    Of up to `ALL_PROBABILITIES` classes there is ``probabilities``, too: a list of all of them in float32.
    """
    import pandas

    prediction = probabilities.argmax(1)
    columns = {
        "path": paths,
        "label": labels,
        "prediction": prediction,
        "correct": prediction == labels,
        "probability": probabilities[np.arange(len(labels)), labels],
    }
    if probabilities.shape[1] <= ALL_PROBABILITIES:
        columns["probabilities"] = list(probabilities.astype(np.float32))
    return pandas.DataFrame(columns)


def _percent(interval: Interval, n: int, units: Units, how: str) -> Metric:
    value, low, high = (100 * bound for bound in interval[:3])
    return Metric(
        value=value,
        low=low,
        high=high,
        n=n,
        method=f"{how} over {units}",
        truth=f"population of {units}",
        coverage=coverage(f"accuracy over {units}", n, value),
    )
