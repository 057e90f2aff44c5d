"""What tasks, metrics and figures are called where people read them; CSV keeps the machine's names."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import PurePath
from typing import TYPE_CHECKING

from benchmark.records.schema import Record
from benchmark.suites.cell import task_label

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmark.reporting.results import Results, Row

_TASKS = {
    "linear_probe": "Linear probe",
    "trained_probe": "Trained linear probe",
    "knn": "k-NN",
    "fewshot": "Few-shot",
    "retrieval": "Image retrieval",
    "zero_shot": "Zero-shot",
    "image_text": "Image–text retrieval",
    "finetune": "Fine-tuning",
    "multilabel": "Multi-label",
    "detection": "Detection",
    "segmentation": "Segmentation",
}
"""Kind of task (`benchmark.tasks.TASKS`) -> what it is called."""
_CONFIGS = (
    ("finetune", "attentive_probe", "Attentive probe"),
    ("finetune", "lora", "LoRA"),
    ("detection", "mask_rcnn", "Mask R-CNN"),
    ("segmentation", "deeplabv3", "DeepLabv3"),
    ("segmentation", "linear", "Linear segmentation"),
)
"""Kinds that hold several methods: kind, part of the config's name, what that method is called."""
_METRICS = {
    "top1": "top-1",
    "top5": "top-5",
    "bbox_mAP": "box AP",
    "segm_mAP": "mask AP",
    "mIoU_things": "mIoU over things",
    "mIoU_stuff": "mIoU over stuff",
    "image_to_text_r1": "image to text R@1",
    "text_to_image_r1": "text to image R@1",
    "ece": "ECE",
    "adaptive_ece": "adaptive ECE",
    "nll": "NLL",
    "brier": "Brier score",
}
_FORMS = (
    (r"top(\d+)_k(\d+)", r"top-\1 (k = \2)"),
    (r"top(\d+)_1_shots", r"top-\1 at 1 shot"),
    (r"top(\d+)_(\d+)_shots", r"top-\1 at \2 shots"),
    (r"top(\d+)_on_(.+)", r"top-\1 on \2"),
    (r"drop_on_(.+)", r"drop on \1"),
    (r"mce_on_(.+)", r"mCE on \1"),
    (r"bbox_m?(AP|AR)_(\w+)", r"box \1 \2"),
    (r"segm_m?(AP|AR)_(\w+)", r"mask \1 \2"),
)
"""Metrics whose names hold a number or another name: pattern, and what it becomes."""
_ENDINGS = {"_over_images": " over images", "_scaled": " after temperature scaling"}
_ONE_DECIMAL = frozenset({"percent", "%", "AP", "AR"})


def task_title(task: Record | Row) -> str:
    """What a task is called: ``Linear probe``, ``Mask R-CNN, learning_rate=0.001``.

    Returns:
        The method's name by the kind of task and its config, with the point on the task's axes; the task's
        own name where its kind is somebody else's.
    """
    if isinstance(task, Record):
        kind, config, name, axes = task.task.type, task.task.config, task.task.name, task.task.axes
    else:
        kind, config, name, axes = task.kind, task.config, task.task_name, task.axes
    stem = PurePath(config).stem
    title = next(
        (title for of, part, title in _CONFIGS if of == kind and part in stem), _TASKS.get(kind, name)
    )
    return task_label(title, axes)


def task_titles(results: Results) -> dict[str, str]:
    """Label of every task of the suite -> its title, each another one.

    Titles are as `task_title` makes them; those of several tasks are told apart by their data, or else are
    the tasks' own labels.
    """
    rows: dict[str, Row] = {}
    for row in results.all_rows:
        rows.setdefault(row.task, row)
    titles = {task: task_title(row) for task, row in rows.items()}
    for said in (lambda row: f"{task_title(row)} on {row.data}", lambda row: row.task):
        often = Counter(titles.values())
        titles = {task: said(rows[task]) if often[title] > 1 else title for task, title in titles.items()}
    return titles


def titled(said: Iterable[str], titles: dict[str, str]) -> list[str]:
    """Sentences that begin with a task's name, with its title instead.

    Args:
        titles: as `task_titles` gives them.
    """
    found = []
    for text in said:
        name = next((task for task in titles if text.startswith((f"{task}:", f"{task},"))), None)
        found.append(titles[name] + text[len(name) :] if name else text)
    return found


def metric_title(name: str) -> str:
    """What a metric is called: ``top-1``, ``box AP``; its own name where there is no better one."""
    if name in _METRICS:
        return _METRICS[name]
    for ending, said in _ENDINGS.items():
        if name.endswith(ending) and (base := metric_title(name.removesuffix(ending))) != name:
            return base + said
    for pattern, form in _FORMS:
        if found := re.fullmatch(pattern, name):
            return found.expand(form)
    return name


def with_unit(metric: str, unit: str, between: str = " ") -> str:
    """A metric's title with its unit, which is left out where the title says it: ``top-1 %``, ``box AP``.

    Args:
        metric: its name in records.
        unit: as records have it, or a sign.
        between: both.
    """
    title = metric_title(metric)
    unit = {"percent": "%", "squared distance": ""}.get(unit, unit)
    return title if unit in title else f"{title}{between}{unit}"


def column_title(task_title: str, metric: str, unit: str) -> str:
    """The head of a column: ``Linear probe, top-1 %``; `metric` and `unit` as in `with_unit`."""
    return f"{task_title}, {with_unit(metric, unit)}"


def figure_text(value: float | None, unit: str = "percent") -> str:
    """A figure as tables show it, of four significant digits at most.

    Args:
        value: None where it is not known; a whole number (`int`) has no decimals.
        unit: percent and AP have one decimal, as the literature has them; others as many as are significant.
    """
    if value is None:
        return "–"
    if abs(value) < 999.95 and not isinstance(value, int):
        return f"{value:.1f}" if unit in _ONE_DECIMAL else f"{value:.4g}"
    rounded = float(f"{value:.3e}")
    if isinstance(value, int) or abs(rounded) < 1e6:
        return f"{rounded:,.0f}"
    return f"{value:.2e}"
