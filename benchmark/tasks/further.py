"""How a classifier does on further test sets with the same classes: robustness."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.data.images import ImageSplit
from benchmark.data.shifted import read_shifted
from benchmark.metrics import accuracy
from benchmark.records.schema import Metric
from benchmark.tasks.base import TaskContext
from common.errors import UserError
from common.settings import Settings


class FurtherSettings(Settings):
    """What a task config may say under ``task`` of further test sets.

    Attributes:
        mce_reference: a csv with the columns corruption and error (a share of one, mean over severities) of
            the classifier that corruptions are to be measured by, AlexNet in arXiv 1903.12261; None: no mCE.
    """

    mce_reference: Path | None = None


@dataclass
class Further:
    """What was found on further test sets, for an `Outcome`: metrics, details, and how many images it was."""

    metrics: dict[str, Metric] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    images: int = 0

    @property
    def headlines(self) -> list[str]:
        """The metrics that tables show."""
        return [name for name in self.metrics if name.startswith("top1_on_")]


def measure(
    context: TaskContext,
    settings: FurtherSettings,
    own: ImageSplit,
    own_logits: np.ndarray,
    units: accuracy.Units,
    logits_of: Callable[[ImageSplit, str], np.ndarray],
) -> Further:
    """top1 on every further test set (``top1_on_NAME``), and how much lower it is (``drop_on_NAME``).

    A set that shows some of the classes is judged among these alone, as ImageNet-R and -A are, and compared
    with the same classes of the own test images. Of a set by corruptions top1 is the mean over corruptions
    and severities; ``mce_on_NAME`` is the mean over corruptions of error over the reference's error.

    Args:
        own, own_logits: the own test images and their logits [N, K].
        units: what intervals are over.
        logits_of: images and what they are called in the report of progress -> logits [N, K].

    Raises:
        UserError: a set cannot be read, or the reference lacks a corruption.
    """
    found = Further()
    for name, place in context.further.items():
        parts = read_shifted(place, own.classes)
        right, labels, sources, corruptions = [], [], [], {}
        for part in parts:
            stage = name if part.corruption is None else f"{name}, {part.corruption} {part.severity}"
            among = np.unique(part.images.labels)
            hits = _right(logits_of(part.images, stage), part.images.labels, among)
            right.append(hits.astype(float))
            labels.append(part.images.labels)
            # of one picture there is a version in each part
            sources += part.images.paths
            if part.corruption is not None:
                corruptions.setdefault(part.corruption, []).append(float(1 - hits.mean()))
        shown = np.unique(np.concatenate(labels))
        kept = np.isin(own.labels, shown)
        if not kept.any():
            raise UserError(
                f"{place}: no own test image shows one of its classes: there is no drop to measure"
            )
        before = 100 * float(_right(own_logits[kept], own.labels[kept], shown).mean())
        top1 = _mean_of_parts(right, labels, sources, units)
        found.metrics[f"top1_on_{name}"] = top1
        found.metrics[f"drop_on_{name}"] = Metric(value=before - top1.value, n=top1.n, higher_is_better=False)
        found.details[name] = {
            "images": int(sum(map(len, labels))),
            "classes": len(shown),
            "top1_on_own_images_of_these_classes": round(before, 3),
        }
        if corruptions:
            errors = {key: sum(values) / len(values) for key, values in corruptions.items()}
            found.details[name]["error_by_corruption"] = {k: round(v, 5) for k, v in errors.items()}
            if settings.mce_reference is not None:
                value = 100 * _relative(errors, settings.mce_reference)
                found.metrics[f"mce_on_{name}"] = Metric(value=value, n=len(errors), higher_is_better=False)
        found.images += found.details[name]["images"]
    return found


def _mean_of_parts(
    right: list[np.ndarray], labels: list[np.ndarray], sources: list[str], units: accuracy.Units
) -> Metric:
    """The mean over parts of their shares, in percent; its interval is over pictures (or classes), of each of
    which all versions vary together."""
    value = 100 * float(np.mean([part.mean() for part in right]))
    shares, every = np.concatenate(right), np.concatenate(labels)
    if len(right) > 1 and units == "images":
        names, place = np.unique(sources, return_inverse=True)
        versions = np.bincount(place)
        shares = np.bincount(place, weights=shares) / versions
        first = np.zeros(len(names), dtype=np.int64)
        first[place] = every
        every = first
    metric = accuracy.of_shares(shares, every, units)
    return metric.model_copy(update={"value": value})


def _right(logits: np.ndarray, labels: np.ndarray, among: np.ndarray) -> np.ndarray:
    """[N] bool: whether the label is the likeliest of the classes `among`."""
    return among[logits[:, among].argmax(1)] == labels


def _relative(errors: dict[str, float], reference: Path) -> float:
    """Mean over corruptions of the error over the reference's."""
    try:
        with reference.open(newline="", encoding="utf-8") as file:
            known = {row["corruption"]: float(row["error"]) for row in csv.DictReader(file)}
    except (OSError, KeyError, ValueError, TypeError, csv.Error) as error:
        raise UserError(
            f"task.mce_reference: {reference} is no csv with columns corruption,error ({error})"
        ) from None
    if missing := sorted(set(errors) - set(known)):
        raise UserError(f"task.mce_reference: {reference} has no error for {', '.join(missing)}")
    if wrong := [name for name in errors if not 0 < known[name] <= 1]:
        raise UserError(f"task.mce_reference: {reference}: the error of {wrong[0]} is no share of one")
    return float(np.mean([error / known[name] for name, error in errors.items()]))
