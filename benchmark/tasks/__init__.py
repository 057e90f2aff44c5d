"""The kinds of transfer, by the name a task config uses. Light: a kind is imported when a cell runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from common.errors import UserError
from common.names import imported, suggest
from common.settings import checked

if TYPE_CHECKING:
    from benchmark.tasks.base import Task


@dataclass(frozen=True)
class TaskType:
    """What must be known of a kind of task without importing it.

    Attributes:
        target: ``module:Class`` of the implementation, a subclass of `benchmark.tasks.base.Task`.
        protocol: raised by one whenever a change alters results; tables never mix two.
        config_keys: the top-level entries of a task config that decide the result. Only these enter the
            fingerprint, so that loggers, hooks and worker counts may change without a new run.
        axes: what its cells may differ by, beside backbone and seed: name of the axis -> the entry of the
            config that it sets. Any other entry is an axis by its own name, dots included.
        layout: of the data it reads, a name of `benchmark.data.layout_of`; None where any folder will do.
        shared: whether several processes can train a cell together.
        further: whether it takes test sets beside the data's own (`benchmark.tasks.further`).
        settings: name of the model, beside the implementation, of what its configs may say under ``task``;
            None where only the implementation knows.
    """

    target: str
    protocol: int
    config_keys: tuple[str, ...] = ("task",)
    axes: Mapping[str, str] = field(default_factory=dict)
    layout: str | None = None
    shared: bool = False
    further: bool = False
    settings: str | None = None


RUNNER_KEYS = (
    *("task", "model", "train_dataloader", "train_cfg", "optim_wrapper", "param_scheduler", "custom_hooks"),
    *("auto_scale_lr", "test_dataloader", "test_cfg"),
)
"""The entries that decide the result of a task which MMEngine's Runner trains."""

RUNNER_AXES = {
    "learning_rate": "optim_wrapper.optimizer.lr",
    "weight_decay": "optim_wrapper.optimizer.weight_decay",
    "iterations": "train_cfg.max_iters",
    "frozen_stages": "model.backbone.frozen_stages",
}

INIT_AXES = {"init": "task.init", "alpha": "task.alpha", "init_bias": "task.init_bias"}
"""Axes of whatever has a class layer that Transfer Init can start (`benchmark.tasks.initial`)."""

SPLIT_AXES = {"fraction": "task.fraction", "draw": "task.draw"}
"""Axes of whatever reads its images by `benchmark.tasks.splits`."""

FINETUNE_AXES = {
    **{name: entry for name, entry in RUNNER_AXES.items() if name != "iterations"},
    "layer_decay": "optim_wrapper.paramwise_cfg.layer_decay",
}

DENSE_AXES = {**RUNNER_AXES, **INIT_AXES}

TASKS = {
    "linear_probe": TaskType(
        "benchmark.tasks.linear_probe:LinearProbe",
        4,
        axes={"feature": "task.feature", **SPLIT_AXES, **INIT_AXES},
        layout="image_folder",
        further=True,
        settings="ProbeSettings",
    ),
    "trained_probe": TaskType(
        "benchmark.tasks.trained_probe:TrainedProbe",
        1,
        axes={"feature": "task.feature", "learning_rate": "task.lr", **SPLIT_AXES, **INIT_AXES},
        layout="image_folder",
        settings="TrainedSettings",
    ),
    "knn": TaskType(
        "benchmark.tasks.knn:NearestNeighbours",
        1,
        axes={"feature": "task.feature", **SPLIT_AXES},
        layout="image_folder",
        settings="NeighbourSettings",
    ),
    "fewshot": TaskType(
        "benchmark.tasks.fewshot:FewShot",
        1,
        axes={"feature": "task.feature", **SPLIT_AXES, **INIT_AXES},
        layout="image_folder",
        settings="FewShotSettings",
    ),
    "retrieval": TaskType(
        "benchmark.tasks.retrieval:Retrieval",
        1,
        axes={"feature": "task.feature"},
        layout="image_folder",
        settings="RetrievalSettings",
    ),
    "zero_shot": TaskType(
        "benchmark.tasks.zero_shot:ZeroShot",
        1,
        axes={name: f"task.{name}" for name in ("by", "templates", "alpha", "bias")},
        layout="image_folder",
        further=True,
        settings="ZeroShotSettings",
    ),
    "image_text": TaskType(
        "benchmark.tasks.image_text:ImageText", 1, layout="pairs", settings="ImageTextSettings"
    ),
    "finetune": TaskType(
        "benchmark.tasks.finetune:Finetune",
        1,
        RUNNER_KEYS,
        {**FINETUNE_AXES, **SPLIT_AXES, **INIT_AXES},
        "image_folder",
        True,
        settings="FinetuneSettings",
    ),
    "multilabel": TaskType(
        "benchmark.tasks.multilabel:MultiLabel",
        1,
        RUNNER_KEYS,
        {**FINETUNE_AXES, **SPLIT_AXES, **INIT_AXES},
        "coco",
        True,
        settings="MultiLabelSettings",
    ),
    "detection": TaskType(
        "benchmark.tasks.detection:Detection",
        3,
        RUNNER_KEYS,
        DENSE_AXES,
        "coco",
        True,
        settings="DetectionSettings",
    ),
    "segmentation": TaskType(
        "benchmark.tasks.segmentation:Segmentation",
        3,
        RUNNER_KEYS,
        DENSE_AXES,
        "ade20k",
        True,
        settings="SegmentationSettings",
    ),
}

DENSE = ("detection", "segmentation")
"""Kinds of task whose configs name their images by loaders; `task.test` says which loader's judge."""


def task_type(name: str) -> TaskType:
    """Look up a kind of task.

    Args:
        name: a key of `TASKS`, or ``module:Class`` of somebody else's `Task`, whose class attributes
            `protocol`, `config_keys`, `axes`, `layout` and `shared` are then read.

    Raises:
        UserError: no such kind.
    """
    if name in TASKS:
        return TASKS[name]
    if ":" not in name:
        raise UserError(f"unknown task type {name!r}: {suggest(name, TASKS)} (or module:Class of your own)")
    task: type[Task] = imported(name, "task type")
    return TaskType(
        name, int(task.protocol), tuple(task.config_keys), dict(task.axes), task.layout, task.shared
    )


def load_task(name: str) -> Task:
    """Import a kind of task (this may import torch) and make one."""
    return imported(task_type(name).target, "task type")()


def check_settings(config: Mapping[str, Any]) -> None:
    """Check what a task config says under ``task``, before anything runs. Imports the kind of task.

    Args:
        config: the entry ``task``.

    Raises:
        UserError: an unknown setting, or an impossible value.
    """
    kind = task_type(config["type"])
    if kind.settings:
        model = imported(f"{kind.target.partition(':')[0]}:{kind.settings}", "settings of a task")
        checked(model, own_settings(config), f"task {config['type']}")


def own_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a config says under ``task`` without the two entries that the harness reads itself."""
    return {key: value for key, value in config.items() if key not in {"type", "data"}}
