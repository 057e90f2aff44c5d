"""What a task is given and what it gives back. Light: no torch, no pandas."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from benchmark.records.schema import Metric
from benchmark.tasks import own_settings
from common.progress import Report
from common.settings import Model, checked

if TYPE_CHECKING:
    import pandas
    from mmengine.config import Config

    from backbones.vit import ViT


@dataclass(frozen=True)
class TaskContext:
    """One cell, as its task sees it.

    Attributes:
        cfg: the whole task config after overrides. `cfg.task` holds the protocol's own settings; a task
            that trains with MMEngine's Runner finds the model, loops and pipelines beside it. Its
            `custom_imports` have not been imported yet.
        data: the data set's folder.
        out: the cell's own folder. It outlives a killed run, and is empty or holds what an earlier attempt at
            this very cell left: a training keeps its checkpoints here and resumes from the last.
        backbone: the name `backbones.load_backbone` understands.
        seed: of everything random in the task, and of a ``random:`` backbone's weights.
        report: progress for the parent process.
        results: the results folder, where features are kept; None keeps none.
        further: test sets beside the data's own: name -> place.
    """

    cfg: Config
    data: Path
    out: Path
    backbone: str
    seed: int
    report: Report
    results: Path | None = None
    further: Mapping[str, Path] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, Any]:
        """`cfg.task` without the two entries that the harness reads itself."""
        return own_settings(self.cfg.task)

    def checked(self, model: type[Model]) -> Model:
        """`settings` as the model of what the task understands.

        Raises:
            UserError: an unknown setting, or an impossible value.
        """
        return checked(model, self.settings, f"task {self.cfg.task.type}")

    @cached_property
    def embed_dim(self) -> int:
        """Width of the backbone's tokens; its weights are not read for that."""
        from backbones import empty_backbone

        return empty_backbone(self.backbone).embed_dim

    @property
    def device(self) -> str:
        """``cuda`` where there is a GPU, else ``cpu``."""
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"

    def load_backbone(self) -> ViT:
        """The backbone in evaluation mode, on the CPU. A new copy at every call."""
        from backbones import load_backbone

        return load_backbone(self.backbone, seed=self.seed)


@dataclass
class Outcome:
    """What a task found.

    Attributes:
        primary: the metric the tables show.
        also: further metrics they show, in columns of their own.
        metrics: all metrics by name; none may be NaN or infinite.
        per_image: one row per test image, for paired tests later; stored as per_image.parquet. More files
            (COCO results, confusion counts) the task writes into its folder itself.
        chosen: what the task chose on validation data, for the tables: ``{"l2": 1e-3}``.
        details: anything else worth keeping that JSON can express.
        notes: one sentence each, printed under the tables.
        images: that went through the backbone, in training and in testing, repeats counted.
    """

    primary: str
    metrics: dict[str, Metric]
    per_image: pandas.DataFrame | None = None
    chosen: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    also: list[str] = field(default_factory=list)
    images: int | None = None


class Task(abc.ABC):
    """One kind of transfer. Kinds of our own are listed in `benchmark.tasks.TASKS`.

    Attributes:
        protocol, config_keys, axes, layout, shared: see `benchmark.tasks.TaskType`; read from the class only
            for tasks of others.
    """

    protocol: ClassVar[int] = 1
    config_keys: ClassVar[tuple[str, ...]] = ("task",)
    axes: ClassVar[Mapping[str, str]] = {}
    layout: ClassVar[str | None] = None
    shared: ClassVar[bool] = False

    @abc.abstractmethod
    def run(self, context: TaskContext) -> Outcome | None:
        """Transfer the backbone and measure it on the test split.

        Of processes that train a cell together, the first one returns what was found; the others, nothing.

        Raises:
            UserError: the data or the config is at fault.
            FloatingPointError: a loss or a feature is not finite; the message says where.
        """
