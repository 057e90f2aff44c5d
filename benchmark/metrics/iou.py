"""Intersection over union of semantic segmentation, from pixel counts of each image and class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmark.records.schema import Metric
from benchmark.statistics.coverage import coverage
from benchmark.statistics.ratios import mean_ratio
from common.files import replacing

if TYPE_CHECKING:
    import pandas

FILE = "pixel_counts.npz"
"""Of a cell's counts, in its folder."""

IGNORED = 255
COUNTED = ("intersection", "predicted", "labelled")

Counts = dict[str, np.ndarray]
"""`image` [N] file names, and `COUNTED` pixels [N, C] of each image and class."""

_PLURALS = {"thing": "things", "stuff": "stuff"}


def count(
    prediction: np.ndarray, label: np.ndarray, classes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels [C] of each class in the intersection, the prediction and the label, without unlabelled pixels.

    Args:
        prediction, label: [H, W] class indices; `IGNORED` in the label is unlabelled.
    """
    labelled = label != IGNORED
    prediction, label = prediction[labelled], label[labelled]
    both = prediction[prediction == label]
    return tuple(np.bincount(values.ravel(), minlength=classes) for values in (both, prediction, label))


def stack_counts(images: Sequence[str], counted: Sequence[tuple[np.ndarray, ...]]) -> Counts:
    """Counts of many images from what `count` gave for each."""
    columns = zip(*counted, strict=True)
    arrays = {key: np.stack(column) for key, column in zip(COUNTED, columns, strict=True)}
    return {"image": np.array(images), **arrays}


def write_counts(file: Path, counts: Counts) -> None:
    """Write counts to a file of NumPy's, all or nothing."""
    with replacing(file) as temporary:
        np.savez_compressed(temporary, **counts)


def read_counts(file: Path) -> Counts:
    """What `write_counts` wrote."""
    with np.load(file) as stored:
        return {key: stored[key] for key in ("image", *COUNTED)}


def class_iou(counts: Counts) -> np.ndarray:
    """IoU [C] over all images, a share of one; NaN for a class that is neither labelled nor predicted."""
    both, predicted, labelled = (counts[key].sum(axis=0) for key in COUNTED)
    return _ratio(both, predicted + labelled - both)


def measure(counts: Counts, kinds: list[str] | None = None) -> dict[str, Metric]:
    """mIoU, mAcc and aAcc in percent over all pixels of the test images, as MMSegmentation defines them.

    With the `kinds` of the classes also mIoU_things and mIoU_stuff, the means over classes of one kind;
    without those of which no class is anywhere. Intervals are for the population of images (`mean_ratio`).
    """
    images = len(counts["labelled"])
    metrics = {}
    for name, (part, whole) in ratios_of(counts, kinds).items():
        value = 100 * mean_of_classes(_ratio(part.sum(axis=0), whole.sum(axis=0)))
        if not np.isfinite(value):
            continue
        metrics[name] = metric = Metric(value=value, n=images)
        if images > 1:
            _, metric.low, metric.high, metric.bias = (100 * bound for bound in mean_ratio(part, whole))
            metric.method, metric.truth = "linearised over images", "population of images"
            metric.coverage = coverage(name, images, value)
    return metrics


def ratios_of(counts: Counts, kinds: list[str] | None = None) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Part and whole [N, K] of images and classes; their sums over images give the ratios of `measure`."""
    both, predicted, labelled = (counts[key] for key in COUNTED)
    union = predicted + labelled - both
    return {
        "mIoU": (both, union),
        "mAcc": (both, labelled),
        "aAcc": (both.sum(axis=1, keepdims=True), labelled.sum(axis=1, keepdims=True)),
        **{f"mIoU_{name}": (both[:, chosen], union[:, chosen]) for name, chosen in _subsets(kinds).items()},
    }


def names(kinds: list[str] | None) -> list[str]:
    """The mIoUs that `measure` gives for classes of these kinds."""
    return ["mIoU", *(f"mIoU_{name}" for name in _subsets(kinds))]


def mean_of_classes(ratios: np.ndarray) -> float:
    """Mean over the classes that are anywhere (not NaN); NaN where none is."""
    defined = ratios[np.isfinite(ratios)]
    return float(defined.mean()) if defined.size else float("nan")


def per_image(counts: Counts) -> pandas.DataFrame:
    """One row per test image: labelled and correct pixels, and the mean IoU over the classes it shows."""
    import pandas

    both, predicted, labelled = (counts[key] for key in COUNTED)
    iou = _ratio(both, predicted + labelled - both)
    return pandas.DataFrame(
        {
            "image": counts["image"],
            "pixels": labelled.sum(axis=1),
            "correct": both.sum(axis=1),
            # nanmean rounds otherwise than `mean_of_classes`, and tables of earlier versions were made by it
            "mIoU": 100 * np.array([np.nanmean(row) if np.isfinite(row).any() else np.nan for row in iou]),
        }
    )


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)


def _subsets(kinds: list[str] | None) -> dict[str, np.ndarray]:
    """Indices of the classes that are things and stuff; empty where the data do not say."""
    table = np.array(kinds or [], dtype=str)
    return {plural: np.flatnonzero(table == kind) for kind, plural in _PLURALS.items() if kind in table}
