"""What is to be run: suites, cells, and the fingerprint that tells whether a result still holds."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbones.digest import digest, folder_digest
from backbones.errors import UserError
from backbones.files import read_json, write_json
from benchmark import PROJECT, tasks
from benchmark.configs import CONFIGS, find_config, override_words, plain, read_config
from benchmark.names import slug, suggest

if TYPE_CHECKING:
    from mmengine.config import Config

NO_INFLUENCE = frozenset(
    {
        "device",
        "encode_batch_size",
        "num_workers",
        "persistent_workers",
        "pin_memory",
        "prefetch_factor",
        "work_dir",
        "workers",
    }
)
"""Entries of a config that decide speed or place, never the result: at no depth part of the fingerprint."""


@dataclass(frozen=True)
class TaskConfig:
    """A task config, read. `overrides` are those that were applied to it."""

    name: str
    path: Path
    cfg: Config
    overrides: dict[str, Any] = field(default_factory=dict)

    @property
    def type(self) -> str:
        return self.cfg.task.type

    @property
    def data_name(self) -> str:
        return self.cfg.task.data

    def config_digest(self) -> str:
        """Digest of the entries that decide the result (`TaskType.config_keys` less `NO_INFLUENCE`)."""
        keys = tasks.task_type(self.type).config_keys
        return digest({key: _influential(plain(self.cfg[key])) for key in keys if key in self.cfg})


@dataclass(frozen=True)
class Cell:
    """One backbone, one task, one seed: what one child process computes and one record describes."""

    suite: str
    backbone: str
    spec: str
    task: TaskConfig
    seed: int
    data: Path
    results: Path

    @property
    def folder(self) -> Path:
        """Where its record is; never outside the results folder, whatever the names are."""
        folder = self.results / slug(self.suite) / slug(self.backbone) / slug(self.task.name)
        return folder / f"seed{self.seed}"

    @property
    def label(self) -> str:
        return f"{self.backbone} / {self.task.name} / seed {self.seed}"

    @property
    def command(self) -> str:
        """The command that computes this cell by itself."""
        words = [
            "python",
            "run_suite.py",
            "run",
            shown(self.task.path),
            "--backbone",
            _shown_spec(self.spec),
        ]
        words += ["--data", f"{self.task.data_name}={shown(self.data)}", "--seed", str(self.seed)]
        return shlex.join(words + override_words(self.task.overrides))

    def identity(self) -> dict[str, Any]:
        """What decides the result, and nothing else: no device, worker count or path.

        Raises:
            UserError: the backbone's weights or the data are missing.
        """
        from backbones.catalog import backbone_digest

        return {
            "config": self.task.config_digest(),
            "backbone": backbone_digest(self.spec),
            "seed": self.seed,
            "data": data_digest(self.data, self.results),
            "protocol": tasks.task_type(self.task.type).protocol,
        }

    def fingerprint(self) -> str:
        """Digest of `identity`."""
        return digest(self.identity())


@dataclass(frozen=True)
class Pretraining:
    """One pre-training of a suite: the checkpoint folder `out` is made from `config`."""

    name: str
    config: Path
    overrides: dict[str, Any]
    out: Path


@dataclass
class Suite:
    """Backbones x tasks x seeds, and how to make what they need; `load_suite` explains each entry."""

    name: str
    path: Path
    results: Path
    data: dict[str, Path]
    prepare: dict[str, dict[str, Any]]
    vocabulary: dict[str, Any]
    pretraining: list[Pretraining]
    backbones: dict[str, str]
    tasks: list[TaskConfig]
    seeds: int

    @property
    def folder(self) -> Path:
        return self.results / slug(self.name)

    def cells(self) -> list[Cell]:
        """All cells, task by task, so that a first comparison is complete as early as possible."""
        return [
            Cell(self.name, name, spec, task, seed, self.data_of(task), self.results)
            for task in self.tasks
            for seed in range(self.seeds)
            for name, spec in self.backbones.items()
        ]

    def data_of(self, task: TaskConfig) -> Path:
        """The folder a task reads. Whether it exists is asked when it is needed."""
        if task.data_name not in self.data:
            raise UserError(
                f"task {task.name} reads data {task.data_name!r}, which nothing provides: "
                f"add --data {task.data_name}=PATH (known: {', '.join(sorted(self.data)) or 'none'})"
            )
        return self.data[task.data_name]


def load_task_config(name: str | Path, overrides: dict[str, Any] | None = None, *folders: Path) -> TaskConfig:
    """Read one task config.

    Raises:
        UserError: no such file, no valid config, or a kind of task nobody knows.
    """
    path = find_config(name, *folders)
    cfg = read_config(path, overrides)
    task = cfg.get("task")
    if not isinstance(task, dict) or not {"type", "data"} <= task.keys():
        raise UserError(f"{path} is no task config: it needs task = dict(type=..., data=..., ...)")
    tasks.task_type(task["type"])
    return TaskConfig(path.stem, path, cfg, dict(overrides or {}))


def load_suite(
    name: str, results: Path, seeds: int | None = None, data: dict[str, Path] | None = None
) -> Suite:
    """Read a suite config: ``task_configs/suites/<name>.py`` or a file.

    The config's entries, all but `backbones` and `tasks` optional (``{results}`` stands for the results
    folder, ``{suite}`` for this suite's folder in it):
        backbones: name -> what `backbones.load_backbone` understands.
        tasks: task configs, each a path or ``dict(config=path, set={key: value}, name=...)``.
        seeds: how many seeds (0, 1, ...).
        data: name -> folder.
        prepare: name -> fields of `benchmark.demo_data.DemoSpec`; drawn in ``{results}/data/<name>``.
        vocabulary: arguments of `pretraining.vocabulary.Vocabulary.count`.
        pretraining: name -> pre-training config (a path, or a dict as for tasks); written to
            ``{suite}/pretrain/<name>``, the backbone ``run:{suite}/pretrain/<name>``.

    Args:
        results: the results folder.
        seeds, data: replace or extend what the config says.

    Raises:
        UserError: no such suite, or a mistake in it.
    """
    path = _find_suite(name)
    results = Path(results).absolute()
    config = read_config(path).to_dict()
    unknown = {key for key in config if not key.startswith("_")} - _SUITE_KEYS
    if unknown:
        raise UserError(
            f"{path}: unknown entry {sorted(unknown)[0]!r}: {suggest(sorted(unknown)[0], _SUITE_KEYS)}"
        )
    for key in ("backbones", "tasks"):
        if not config.get(key):
            raise UserError(f"{path}: a suite needs {key} = ...")
    places = {"{results}": str(results), "{suite}": str(results / slug(path.stem))}
    pretraining = []
    for entry, value in config.get("pretraining", {}).items():
        config_name, overrides, _ = _entry(path, value)
        out = results / slug(path.stem) / "pretrain" / slug(entry)
        pretraining.append(Pretraining(entry, find_config(config_name, path.parent), overrides, out))
    suite = Suite(
        name=path.stem,
        path=path,
        results=results,
        data={key: _folder(_placed(value, places)) for key, value in config.get("data", {}).items()},
        prepare=config.get("prepare", {}),
        vocabulary=config.get("vocabulary", {}),
        pretraining=pretraining,
        backbones={str(key): _placed(value, places) for key, value in config["backbones"].items()},
        tasks=[_suite_task(path, value) for value in config["tasks"]],
        seeds=seeds if seeds is not None else int(config.get("seeds", 1)),
    )
    suite.data.update(data or {})
    _check(suite)
    return suite


def list_suites() -> list[str]:
    """Names of the suites that come with the project."""
    return sorted(path.stem for path in (CONFIGS / "suites").glob("*.py") if path.stem != "__init__")


def data_digest(folder: Path, results: Path) -> str:
    """`folder_digest`, remembered in ``<results>/.digests.json`` as long as nothing in the folder changes.

    Raises:
        UserError: the folder is missing.
    """
    if not Path(folder).is_dir():
        raise UserError(f"data folder {folder} does not exist: run prepare, or name the folder with --data")
    state = _state(folder)
    cache = results / ".digests.json"
    known = read_json(cache)
    known = known if isinstance(known, dict) else {}
    key = str(Path(folder).resolve())
    if known.get(key, {}).get("state") != state:
        known[key] = {"state": state, "digest": folder_digest(folder)}
        write_json(cache, known)
    return known[key]["digest"]


_SUITE_KEYS = frozenset({"backbones", "tasks", "seeds", "data", "prepare", "vocabulary", "pretraining"})


def _find_suite(name: str) -> Path:
    if name in list_suites():
        return CONFIGS / "suites" / f"{name}.py"
    path = Path(name).expanduser()
    if path.suffix == ".py" and path.is_file():
        return path.resolve()
    raise UserError(f"unknown suite {name!r}: {suggest(name, list_suites())} (or the path of a suite file)")


def _suite_task(path: Path, value: Any) -> TaskConfig:
    name, overrides, alias = _entry(path, value)
    task = load_task_config(name, overrides, path.parent)
    return TaskConfig(alias or task.name, task.path, task.cfg, task.overrides)


def _entry(path: Path, value: Any) -> tuple[str, dict[str, Any], str | None]:
    if isinstance(value, str):
        return value, {}, None
    if isinstance(value, dict) and "config" in value and value.keys() <= {"config", "set", "name"}:
        return value["config"], dict(value.get("set", {})), value.get("name")
    raise UserError(f"{path}: {value!r} is neither a path nor dict(config=..., set=..., name=...)")


def _placed(value: Any, places: dict[str, str]) -> str:
    text = str(value)
    for placeholder, folder in places.items():
        text = text.replace(placeholder, folder)
    return text


def _folder(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _check(suite: Suite) -> None:
    if suite.seeds < 1:
        raise UserError(f"--seeds {suite.seeds}: at least one seed is needed")
    from backbones import catalog

    made = {f"run:{entry.out}" for entry in suite.pretraining}
    for spec in suite.backbones.values():
        if spec not in made and not spec.startswith("run:"):
            catalog.backbone_digest(spec)
    names = [task.name for task in suite.tasks]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise UserError(f"{suite.path}: two tasks are called {repeated.pop()}: give one a name=...")
    for task in suite.tasks:
        suite.data_of(task)


def _state(folder: Path) -> list[int]:
    """Number of entries, bytes and newest change below a folder: different as soon as a file was touched."""
    count = size = newest = 0
    pending, seen = [os.fspath(folder)], set()
    while pending:
        current = pending.pop()
        status = os.stat(current)
        if (status.st_dev, status.st_ino) in seen:  # a link back to a folder above
            continue
        seen.add((status.st_dev, status.st_ino))
        newest = max(newest, status.st_mtime_ns)
        with os.scandir(current) as entries:
            for entry in entries:
                count += 1
                if entry.is_dir():
                    pending.append(entry.path)
                elif entry.is_file():
                    status = entry.stat()
                    size += status.st_size
                    newest = max(newest, status.st_mtime_ns)
    return [count, size, newest]


def _influential(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _influential(item) for key, item in value.items() if key not in NO_INFLUENCE}
    if isinstance(value, list):
        return [_influential(item) for item in value]
    return value


def shown(path: Path) -> str:
    """A path as a command shows it: relative inside the project, so that the command can be passed on."""
    path = Path(path)
    return path.relative_to(PROJECT).as_posix() if path.is_relative_to(PROJECT) else str(path)


def _shown_spec(spec: str) -> str:
    source, _, rest = spec.partition(":")
    return f"{source}:{shown(Path(rest))}" if source == "run" else spec
