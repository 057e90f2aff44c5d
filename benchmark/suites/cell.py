"""One cell of a suite: backbone, task at a point of its axes, seed; and what its result depends on."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark import tasks
from benchmark.suites.fingerprint import data_digest, influential
from benchmark.tasks import runner_settings
from common import PROJECT
from common.configs import find_config, override_words, plain, read_config, value_text
from common.digest import digest
from common.errors import UserError
from common.names import slug, suggest
from common.settings import Settings, Text, checked

if TYPE_CHECKING:
    from mmengine.config import Config


DATA_ENTRY = "task.data"
"""The entry of a config that names its data."""


@dataclass(frozen=True)
class TaskConfig:
    """A task config, read.

    Attributes:
        name: of the task in tables and folders.
        path: the file.
        cfg: its content after `overrides` and `axes`.
        overrides: entries that were replaced.
        axes: where on the task's axes it stands: name of an axis -> value, for instance
            ``{"learning_rate": 1e-3}``. Cells that differ here alone are points of one curve.
        backbones: names of a suite's backbones that it is for; None: all of them.
        further: names of test sets beside the data's own, for kinds of task that take such.
    """

    name: str
    path: Path
    cfg: Config
    overrides: dict[str, Any] = field(default_factory=dict)
    axes: dict[str, Any] = field(default_factory=dict)
    backbones: tuple[str, ...] | None = None
    further: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        return self.cfg.task.type

    @property
    def data_name(self) -> str:
        return self.cfg.task.data

    @property
    def label(self) -> str:
        """Name and point, as tables and messages show them."""
        return task_label(self.name, self.axes)

    def at(self, axes: Mapping[str, Any]) -> TaskConfig:
        """The same task at another point of its axes.

        Args:
            axes: name of an axis, as its kind of task declares it (`benchmark.tasks.TaskType.axes`), or an
                entry of the config with dots in its name -> value.

        Raises:
            UserError: the kind of task has no such axis.
        """
        known = tasks.task_type(self.type).axes
        changes = {}
        for name, value in axes.items():
            if name not in known and "." not in name:
                raise UserError(f"task {self.name} has no axis {name!r}: {suggest(name, known)}")
            # what a kind of task declares may be left out of a config, where it has a default
            changes[f"+{known[name]}" if name in known else name] = value
        cfg = read_config(self.path, {**self.overrides, **changes})
        return _checked(replace(self, cfg=cfg, axes=dict(axes)))

    @property
    def warning(self) -> str | None:
        """What of its config is hardly meant, in one sentence."""
        return runner_settings.schedule_warning(self.cfg)

    def config_digest(self) -> str:
        """Digest of the entries that decide the result (`TaskType.config_keys` less `NO_INFLUENCE`)."""
        keys = tasks.task_type(self.type).config_keys
        return digest({key: influential(plain(self.cfg[key])) for key in keys if key in self.cfg})


def load_task_config(
    name: str | Path,
    overrides: dict[str, Any] | None = None,
    *folders: Path,
    axes: Mapping[str, Any] | None = None,
    data: Iterable[str] = (),
) -> TaskConfig:
    """Read one task config.

    A config for any data has ``task.data = None``. What is given in its place names the task, too:
    ``linear_probe.py`` with data ``pets`` is ``pets_linear_probe``.

    Args:
        name: a path, or a name below one of `folders` or ``task_configs/``.
        overrides: entries to replace (``--set``).
        axes: where on the task's axes to stand (``--axis``).
        data: names of data that there are, of which a config for any data takes the only one.

    Raises:
        UserError: no such file, no valid config, or a kind of task or an axis nobody knows.
    """
    path = find_config(name, *folders)
    cfg = read_config(path, overrides)
    task = cfg.get("task")
    if not isinstance(task, dict) or not {"type", "data"} <= task.keys():
        raise UserError(f"{path} is no task config: it needs task = dict(type=..., data=..., ...)")
    checked(_Named, {key: task[key] for key in ("type", "data")}, f"{path}: task")
    tasks.task_type(task["type"])
    overrides = dict(overrides or {})
    own = read_config(path).task.data if DATA_ENTRY in overrides else task["data"]
    if task["data"] is None:
        names = list(data)
        if len(names) != 1:
            raise UserError(
                f"{path.name} is for data of any name: give them one, and their place, with --data NAME=PATH"
                + (" (once)" if names else "")
            )
        overrides[DATA_ENTRY] = names[0]
        cfg = read_config(path, overrides)
    name = path.stem if own is not None else f"{cfg.task.data}_{path.stem}"
    found = _checked(TaskConfig(name, path, cfg, overrides))
    return found.at(axes) if axes else found


class _Named(Settings):
    """What every task config says under ``task``."""

    type: Text
    data: Text | None


def _checked(task: TaskConfig) -> TaskConfig:
    """The same task; a `UserError` where its config cannot be trained by."""
    if tasks.task_type(task.type).config_keys == tasks.RUNNER_KEYS:
        runner_settings.check(task.cfg.to_dict(), str(task.path))
    if task.type in tasks.DENSE and task.cfg.task.get("test") == "val":
        runner_settings.judge_by_validation(task.cfg, str(task.path))
    return task


def task_label(name: str, axes: Mapping[str, Any]) -> str:
    """A task and its point in one text: ``mask_rcnn, learning_rate=0.001``."""
    return ", ".join([name, *(f"{axis}={value_text(value)}" for axis, value in axes.items())])


@dataclass(frozen=True)
class Cell:
    """One backbone, one task, one seed: what one child process computes and one record describes.

    Attributes:
        suite: name of the suite.
        name: the backbone's name in it.
        backbone: what `backbones.load_backbone` understands.
        task: the task, at one point of its axes.
        seed: of everything random in the transfer, the weights of a ``random:`` backbone included.
        data: the data set's folder.
        results: the results folder.
        pretraining_seed: which of the suite's repeated pre-trainings made the backbone; None where the suite
            did not make it.
        pretraining_samples: after how many samples of it, where it was not its end: an entry of its recipe's
            ``keep``.
        further: test sets beside the data's own: (name, place), in order.
    """

    suite: str
    name: str
    backbone: str
    task: TaskConfig
    seed: int
    data: Path
    results: Path
    pretraining_seed: int | None = None
    pretraining_samples: int | None = None
    further: tuple[tuple[str, Path], ...] = ()

    @property
    def folder(self) -> Path:
        """Where its record is; never outside the results folder, whatever the names are."""
        folder = self.results / slug(self.suite) / slug(self.name) / slug(self.task.name)
        parts = [slug(f"{axis}-{value_text(value)}") for axis, value in self.task.axes.items()]
        parts += [f"pretraining{self.pretraining_seed}"] if self.pretraining_seed else []
        parts += [f"samples{self.pretraining_samples}"] if self.pretraining_samples else []
        return folder / "-".join([*parts, f"seed{self.seed}"])

    @property
    def label(self) -> str:
        repetition = seeds_label(self.seed, self.pretraining_seed, self.pretraining_samples)
        return f"{self.name} / {self.task.label} / {repetition}"

    @property
    def command(self) -> str:
        """The command that computes this cell by itself."""
        words = ["python", "run_suite.py", "run", shown(self.task.path)]
        words += ["--backbone", _shown_backbone(self.backbone)]
        for name, place in ((self.task.data_name, self.data), *self.further):
            words += ["--data", f"{name}={shown(place)}"]
        words += ["--seed", str(self.seed)]
        told = {key: value for key, value in self.task.overrides.items() if key != DATA_ENTRY}
        words += override_words(told) + override_words(self.task.axes, "--axis")
        return shlex.join(words)

    def identity(self) -> dict[str, Any]:
        """What decides the result, and nothing else: no device, worker count or path.

        Raises:
            UserError: the backbone's weights or the data are missing.
        """
        from backbones.catalog import backbone_digest

        identity = {
            "config": self.task.config_digest(),
            "backbone": backbone_digest(self.backbone),
            "seed": self.seed,
            "data": data_digest(self.data, self.results),
            "protocol": tasks.task_type(self.task.type).protocol,
        }
        # A cell on no axis keeps the fingerprint it had before there were any; so does one of one test set.
        if self.further:
            identity["further"] = {name: data_digest(place, self.results) for name, place in self.further}
        return identity | ({"axes": plain(self.task.axes)} if self.task.axes else {})

    def fingerprint(self) -> str:
        """Digest of `identity`."""
        return digest(self.identity())


def seeds_label(seed: int, pretraining_seed: int | None, pretraining_samples: int | None = None) -> str:
    """A repetition in words; pre-training seed 0 and the end of pre-training go without saying."""
    first = f"after {pretraining_samples:,} samples, " if pretraining_samples else ""
    first += f"pre-training seed {pretraining_seed}, " if pretraining_seed else ""
    return f"{first}seed {seed}"


def shown(path: Path) -> str:
    """A path as a command shows it: relative inside the project, so that the command can be passed on."""
    path = Path(path)
    return path.relative_to(PROJECT).as_posix() if path.is_relative_to(PROJECT) else str(path)


def _shown_backbone(backbone: str) -> str:
    source, _, rest = backbone.partition(":")
    return f"{source}:{shown(Path(rest))}" if source == "run" else backbone
