"""The typed result of one cell: everything a table, a plot or a doubter asks for."""

from __future__ import annotations

import math
import platform
import subprocess
from datetime import datetime, timezone
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from common import PROJECT
from common.machine import package_version, processor

SCHEMA_VERSION = 5
"""Raised when a field is added or changes its meaning. Older records are read: what they lack has the value
it had before there was the field. Newer ones are refused by name."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Metric(_Model):
    """One measured figure.

    Attributes:
        value: the plain estimate, as the literature quotes it, in `unit`.
        low, high: 95 % interval of the truth that `truth` names, in `unit`. Where the estimate is biased the
            interval is not centred on it, and need not hold it.
        n: number of test units (images, classes) the interval is over.
        unit: ``percent``, ``AP``, ``images/s`` ...
        method: how the interval was made, for instance ``wilson over images``; None without an interval.
        truth: what the interval is for: ``population of images`` (or ``classes``), the value on an endless
            test set of which these units are a random sample; None without an interval, and in records of
            earlier protocols, whose intervals were for no truth in particular.
        bias: estimated bias of `value`, in `unit`, positive where it is too high; None where not estimated.
        coverage: share of simulated test sets, in percent, whose interval held the truth, for the number of
            units and the value nearest to these (`benchmark.statistics.coverage`); None where unknown.
        higher_is_better: the direction of the metric: whether a larger value is the better one.
    """

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    unit: str = "percent"
    method: str | None = None
    truth: str | None = None
    bias: float | None = None
    coverage: float | None = None
    higher_is_better: bool = True


class BackboneInfo(_Model):
    """Which backbone.

    Attributes:
        name: in the suite and its tables.
        spec: the string that `backbones.load_backbone` understands, `backbone` everywhere but in this file.
        digest: of its weights; None where they are missing.
        description: what it said of itself (`backbones.catalog.describe`): source, architecture, objective,
            cost of pre-training.
    """

    name: str
    spec: str
    digest: str | None = None
    description: dict[str, Any] = Field(default_factory=dict)


class TaskInfo(_Model):
    """Which task.

    Attributes:
        name: in the suite and its tables.
        type: the kind of task (`benchmark.tasks.TASKS`).
        config: the config's file.
        config_digest: of the entries of the config that decide the result.
        protocol: version of the kind of task; tables never mix two.
        axes: where on the task's axes the cell stands: name of an axis -> value.
    """

    name: str
    type: str
    config: str
    config_digest: str
    protocol: int
    axes: dict[str, Any] = Field(default_factory=dict)


class DataInfo(_Model):
    """Which data.

    Attributes:
        name: that the config uses.
        path: the folder.
        digest: of its content; None where it was not taken.
    """

    name: str
    path: str
    digest: str | None = None


class Cost(_Model):
    """What the cell took.

    Attributes:
        seconds: on the wall, from the start of its process to the record.
        peak_memory_bytes: most memory its process was resident with.
        peak_gpu_memory_bytes: most GPU memory allocated; None where no GPU was used.
        devices: that worked on it: GPUs, or where there is none, cores; None where `images` is.
        images: that went through the backbone, in training and in testing, repeats counted; None where the
            task does not say, the cell failed, or an interrupted attempt did a part that `seconds` is not of.
    """

    seconds: float
    peak_memory_bytes: int | None = None
    peak_gpu_memory_bytes: int | None = None
    devices: int | None = None
    images: int | None = None

    @property
    def device_hours(self) -> float | None:
        """Hours of all devices together."""
        return None if self.devices is None else self.seconds * self.devices / 3600

    @property
    def images_per_second(self) -> float | None:
        """`images` over all of the time, that of starting and of fitting heads included."""
        return self.images / self.seconds if self.images is not None and self.seconds > 0 else None


class Environment(_Model):
    """Where the cell ran. None of it is part of the fingerprint.

    Attributes:
        python: its version.
        packages: name -> version of what results depend on.
        platform: operating system and kernel.
        cpu: name of the processor.
        threads: of PyTorch; None where it was not imported.
        device: name of the GPU, or ``cpu``.
        commit: of the project, with ``-dirty`` where files differ from it; None outside git.
    """

    python: str
    packages: dict[str, str]
    platform: str
    cpu: str
    threads: int | None = None
    device: str | None = None
    commit: str | None = None


class Order(_Model):
    """What a cell is, before it has run: all that its process is told.

    Attributes:
        suite: name of the suite.
        backbone, task, data: what is transferred to what.
        further: test sets beside the data's own, which the same classifier is tried on. Since version 5.
        seed: of everything random in the transfer.
        pretraining_seed: which of the suite's repeated pre-trainings made the backbone; None where the suite
            did not make it.
        pretraining_samples: after how many samples of it, where it was not its end: the entry of the recipe's
            ``keep``; how many they were is in the backbone's description. Since version 4.
        fingerprint: of what decides the result; None when it could not be taken (the backbone is missing).
        command: that computes the cell by itself.
    """

    suite: str
    backbone: BackboneInfo
    task: TaskInfo
    data: DataInfo
    further: list[DataInfo] = Field(default_factory=list)
    seed: int
    pretraining_seed: int | None = None
    pretraining_samples: int | None = None
    fingerprint: str | None
    command: str


class Record(Order):
    """``record.json``: one cell's result, or its failure.

    Attributes:
        schema_version: of this format.
        status: ``done``, or ``failed``: then `error` says why.
        started, finished: when the process began and the record was written, ISO 8601 in UTC.
        primary: name of the metric the tables show.
        also: names of further metrics they show, in columns of their own.
        metrics: all metrics, by name.
        chosen: what was chosen on validation data.
        details: what else the task found worth keeping; each kind of task says what.
        notes: sentences for under the tables.
        cost: what the cell took; None where its process could not say.
        environment: where it ran.
        error_type, error, log_tail: of a failed cell: class and message of the exception, or how the process
            ended, and the last lines it printed.
    """

    schema_version: int = SCHEMA_VERSION
    status: Literal["done", "failed"]
    started: str
    finished: str
    primary: str | None = None
    also: list[str] = Field(default_factory=list)
    metrics: dict[str, Metric] = Field(default_factory=dict)
    chosen: dict[str, Any] = Field(default_factory=dict)
    details: dict[str, Any] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)
    cost: Cost | None = None
    environment: Environment | None = None
    error_type: str | None = None
    error: str | None = None
    log_tail: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _shows_figures(self) -> Record:
        """A finished cell has the metrics that it names, and every figure is a number."""
        for name, metric in self.metrics.items():
            for value in (metric.value, metric.low, metric.high, metric.bias, metric.coverage):
                if value is not None and not math.isfinite(value):
                    raise ValueError(f"metric {name} is {value}")
        if self.status == "done":
            for name in (self.primary, *self.also):
                if name not in self.metrics:
                    raise ValueError(f"there is no metric called {name!r}")
        return self

    @property
    def headline(self) -> Metric | None:
        """The primary metric of a finished cell."""
        return self.metrics.get(self.primary) if self.primary else None


class Failure(_Model):
    """``failed.json`` in the folder of a pre-training: what went wrong; it is not tried again unasked.

    Attributes:
        fingerprint: of the pre-training that failed.
        error: in one line.
        log_tail: the last lines it printed.
    """

    fingerprint: str
    error: str
    log_tail: list[str] = Field(default_factory=list)


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def environment(threads: int | None = None, device: str | None = None) -> Environment:
    """Describe this machine and installation without importing what is installed."""
    return Environment(
        python=platform.python_version(),
        packages={name: version for name in _PACKAGES if (version := package_version(name))},
        platform=platform.platform(),
        cpu=processor(),
        threads=threads,
        device=device,
        commit=_commit(),
    )


_PACKAGES = (
    "torch",
    "torchvision",
    "timm",
    "numpy",
    "pillow",
    "open_clip_torch",
    "onedl-mmengine",
    "onedl-mmcv",
    "onedl-mmdetection",
    "onedl-mmsegmentation",
)


@cache
def _commit() -> str | None:
    """The commit the project is at, marked when files differ from it; None outside git."""
    command = ["git", "-C", str(PROJECT), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip() or None
