"""What a reader calls tasks and metrics: configs and records have names for machines."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from benchmark.suites.cell import task_label

if TYPE_CHECKING:
    from benchmark.reporting.results import Results

TASKS = {
    "trained_probe": "Linear probe, trained",
    "linear_probe": "Linear probe",
    "attentive_probe": "Attentive probe",
    "zero_shot": "Zero-shot",
    "image_text": "Image–text retrieval",
    "fewshot": "Few-shot",
    "knn": "k-NN",
    "retrieval": "Image retrieval",
    "lora": "LoRA",
    "multilabel": "Multi-label",
    "finetune": "Fine-tuning",
    "mask_rcnn": "Mask R-CNN",
    "deeplabv3": "DeepLabv3",
    "linear_seg": "Linear segmentation",
    "ade20k_linear": "Linear segmentation",
}
"""Part of the name of a task's config -> what the task is called; the first that fits."""

METRICS = {
    "top1": "top-1",
    "top5": "top-5",
    "bbox_mAP": "box AP",
    "segm_mAP": "mask AP",
    "mIoU_things": "mIoU over things",
    "mIoU_stuff": "mIoU over stuff",
    "mAP_micro": "micro mAP",
    "mAP_weighted": "weighted mAP",
    "image_to_text_r1": "image to text R@1",
    "text_to_image_r1": "text to image R@1",
    "ece": "ECE",
    "nll": "NLL",
    "brier": "Brier score",
}

DIGITS = 4
"""Significant digits that a figure has at most."""


def titles_of(results: Results) -> dict[str, str]:
    """Task (with its axes, as rows have it) -> its title, which no other task of the suite has."""
    found: dict[str, str] = {}
    for row in results.all_rows:
        config = row.record.task.config if row.record else row.task_name
        title = task_label(task_title(config, row.task_name), row.axes)
        if row.record and title in (other for task, other in found.items() if task != row.task):
            title = f"{title} ({row.task_name})"
        found.setdefault(row.task, title)
    return found


def task_title(config: str, name: str) -> str:
    """What a task is called, by its config's file; `name` where nobody knows it or it was given another."""
    stem = PurePath(config).stem
    if stem not in name:  # a suite has called it otherwise
        return name.replace("_", " ").capitalize()
    return next((title for part, title in TASKS.items() if part in stem), name)


def metric_title(metric: str) -> str:
    """What a metric is called: ``top1_k5`` is top-1, k=5; ``top1_4_shots`` is top-1, 4 shots."""
    if metric in METRICS:
        return METRICS[metric]
    stem, _, rest = metric.partition("_")
    if stem in METRICS and rest:
        if rest.startswith("on_"):
            return f"{METRICS[stem]} on {rest[3:].replace('_', ' ')}"
        if rest.startswith("k") and rest[1:].isdigit():
            return f"{METRICS[stem]}, k={rest[1:]}"
        return f"{METRICS[stem]}, {rest.replace('_', ' ')}"
    return metric.replace("_", " ")


def unit_text(unit: str, metric: str) -> str:
    """The unit to print once, beside the metric's name; empty where the name says it."""
    return {"percent": "%", "squared distance": ""}.get(unit, "" if unit in metric else unit)


def column_title(task: str, metric: str, unit: str) -> str:
    """A column's head: ``Linear probe, top-1 %``.

    Args:
        task: its title.
        metric, unit: as records have them.
    """
    return f"{task}, {' '.join(filter(None, (metric_title(metric), unit_text(unit, metric))))}"


def figure_text(value: float) -> str:
    """A number as tables show it: one decimal, four significant digits at most."""
    if value != 0 and (abs(value) >= 10**DIGITS or abs(value) < 0.05):
        return f"{value:.{DIGITS - 1}g}" if abs(value) < 0.05 else f"{value:,.0f}"
    return f"{value:.1f}"
