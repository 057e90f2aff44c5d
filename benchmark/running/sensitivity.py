"""What a task's test set could tell apart, said before it is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmark.data import coco, labelled
from benchmark.data.ade20k import image_names
from benchmark.data.instances import read_instances
from benchmark.statistics.detectable import POWER, smallest_difference
from benchmark.suites.cell import TaskConfig
from common.errors import UserError

ACCURACIES = frozenset({"linear_probe", "trained_probe", "knn", "fewshot", "zero_shot", "finetune"})
"""Kinds of task whose headline is an accuracy."""


def sentence(task: TaskConfig, data: Path) -> str | None:
    """The smallest difference between two backbones that the test set would find, in words.

    Args:
        task: its config says which images judge, and what intervals are over.
        data: where its data are.

    Returns:
        None where the data are not there, or nothing is known of such differences.
    """
    try:
        found = _units(task, data)
    except (UserError, OSError, KeyError, ValueError, AttributeError):
        return None
    if found is None:
        return None
    metric, units, over = found
    least = smallest_difference(metric, units, over)
    if least is None:
        return None
    return (
        f"{units:,} test {over} find a difference of {least.points:.1f} points or more with a chance of "
        f"{100 * POWER:.0f} % (one seed each; assuming {least.assuming})"
    )


def _units(task: TaskConfig, data: Path) -> tuple[str, int, str] | None:
    """Kind of metric, number of units, and what they are."""
    kind = task.type
    if kind == "detection":
        dataset = _dataset(task.cfg)
        file, _ = coco.without_year(data, dataset.ann_file, dataset.data_prefix.img)
        return "mAP", len(read_instances(data / file, objects=False)["images"]), "images"
    if kind == "segmentation":
        return "mIoU", len(image_names(data / _dataset(task.cfg).data_prefix.img_path)), "images"
    if kind not in ACCURACIES and kind != "multilabel":
        return None
    several = kind == "multilabel"
    settings = task.cfg.task
    names = labelled.splits(data)
    split = settings.get("test", "test")
    split = next((name for name in (split, "test", "val", "validation") if name in names), None)
    if split is None:
        return None
    images = labelled.read_split(data, split, several=several)
    if several:
        return "multi-label mAP", len(images), "images"
    over = settings.get("units", "images")
    return "accuracy", len(images.classes) if over == "classes" else len(images), over


def _dataset(cfg: Any) -> Any:
    dataset = cfg.test_dataloader.dataset
    while "dataset" in dataset:  # wrapped
        dataset = dataset.dataset
    return dataset
