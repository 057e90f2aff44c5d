"""What is to be run: suites, cells, and the fingerprint that tells whether a result still holds."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark import tasks
from benchmark.suites.fingerprint import data_digest, influential
from common import PROJECT
from common.configs import CONFIGS, check_data_names, find_config, override_words, plain, read_config
from common.digest import digest
from common.errors import UserError
from common.files import read_json, write_json
from common.names import slug, suggest

if TYPE_CHECKING:
    from mmengine.config import Config


DEFAULT_SUITE = "demo"
"""The suite that is meant where none is named."""


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
        return digest({key: influential(plain(self.cfg[key])) for key in keys if key in self.cfg})


@dataclass(frozen=True)
class Cell:
    """One backbone, one task, one seed: what one child process computes and one record describes.

    Attributes:
        seed: of everything random in the transfer, the weights of a ``random:`` backbone included.
        pretraining_seed: which of the suite's repeated pre-trainings made the backbone; None where the suite
            did not make it.
    """

    suite: str
    backbone: str
    spec: str
    task: TaskConfig
    seed: int
    data: Path
    results: Path
    pretraining_seed: int | None = None

    @property
    def folder(self) -> Path:
        """Where its record is; never outside the results folder, whatever the names are."""
        folder = self.results / slug(self.suite) / slug(self.backbone) / slug(self.task.name)
        prefix = f"pretraining{self.pretraining_seed}-" if self.pretraining_seed else ""
        return folder / f"{prefix}seed{self.seed}"

    @property
    def label(self) -> str:
        pretraining = f", pre-training seed {self.pretraining_seed}" if self.pretraining_seed else ""
        return f"{self.backbone} / {self.task.name} / seed {self.seed}{pretraining}"

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

    @property
    def backbone(self) -> str:
        return f"run:{self.out}"

    def repeated(self, seed: int) -> Pretraining:
        """The same with another seed, in a folder of its own; seed 0 is this one.

        Seeds count from the config's own.
        """
        if seed == 0:
            return self
        own = self.overrides["seed"] if "seed" in self.overrides else read_config(self.config).get("seed", 0)
        overrides = {**self.overrides, "seed": own + seed}
        name, out = f"{self.name}-seed{seed}", self.out.with_name(f"{self.out.name}-seed{seed}")
        return replace(self, name=name, overrides=overrides, out=out)


@dataclass
class Suite:
    """Backbones x tasks x seeds, and how to make what they need; `load_suite` explains each entry.

    Attributes:
        seeds: transfers of every backbone.
        pretraining_seeds: pre-trainings, each of which is transferred `seeds` times; None: as many as
            transfers, one for each.
    """

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
    pretraining_seeds: int | None = None

    @property
    def folder(self) -> Path:
        return self.results / slug(self.name)

    def pretrainings(self) -> list[Pretraining]:
        """All pre-trainings, seed by seed."""
        return list(self._made().values())

    def cells(self) -> list[Cell]:
        """All cells, task by task, so that a first comparison is complete as early as possible."""
        made = self._made()
        cells: dict[Path, Cell] = {}
        for task in self.tasks:
            for pretraining_seed, seed in self._repeats():
                for name, spec in self.backbones.items():
                    place = (task, seed, self.data_of(task), self.results)
                    if (spec, pretraining_seed) in made:
                        spec = made[spec, pretraining_seed].backbone
                        place += (pretraining_seed,)
                    cell = Cell(self.name, name, spec, *place)
                    cells.setdefault(cell.folder, cell)  # what is not pre-trained here is there once per seed
        return list(cells.values())

    def _made(self) -> dict[tuple[str, int], Pretraining]:
        """(backbone of seed 0, seed) -> the pre-training that makes it, seed by seed."""
        seeds = dict.fromkeys(first for first, _ in self._repeats())
        return {(entry.backbone, seed): entry.repeated(seed) for seed in seeds for entry in self.pretraining}

    def _repeats(self) -> Iterable[tuple[int, int]]:
        """Seeds of pre-training and transfer that belong together."""
        if self.pretraining_seeds is None:
            return [(seed, seed) for seed in range(self.seeds)]
        return [(first, second) for first in range(self.pretraining_seeds) for second in range(self.seeds)]

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
    name: str,
    results: Path,
    seeds: int | None = None,
    data: dict[str, Path] | None = None,
    pretraining_seeds: int | None = None,
) -> Suite:
    """Read a suite config: ``task_configs/suites/<name>.py`` or a file.

    The config's entries, all but `backbones` and `tasks` optional (``{results}`` stands for the results
    folder, ``{suite}`` for this suite's folder in it):
        backbones: name -> what `backbones.load_backbone` understands.
        tasks: task configs, each a path or ``dict(config=path, set={key: value}, name=...)``.
        seeds: how often pre-training and transfer are repeated, with seeds 0, 1, ...
        pretraining_seeds: how often pre-training alone is; `seeds` then says how often each of these
            backbones is transferred.
        data: name -> folder.
        prepare: name -> ``dict(type="module:function", ...)``: draws data in ``{results}/data/<name>`` when
            called with that folder, the other entries of the dict and a progress callback.
        vocabulary: arguments of `pretraining.labels.vocabulary.Vocabulary.count`.
        pretraining: name -> pre-training config (a path, or a dict as for tasks); written to
            ``{suite}/pretrain/<name>``, the backbone ``run:{suite}/pretrain/<name>``.

    Args:
        results: the results folder.
        seeds, data, pretraining_seeds: replace or extend what the config says.

    Raises:
        UserError: no such suite, a mistake in it, or data that nothing in it reads.
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
        seeds=config.get("seeds", 1) if seeds is None else seeds,
        pretraining_seeds=config.get("pretraining_seeds") if pretraining_seeds is None else pretraining_seeds,
    )
    read = {task.data_name for task in suite.tasks} | ({"pairs"} if pretraining else set())
    check_data_names(data or {}, read, f"suite {suite.name}")
    suite.data.update(data or {})
    _check(suite)
    return suite


def remember_repeats(suite: Suite) -> None:
    """Note how many seeds a suite was run with, for `as_last_run`."""
    repeats = [suite.seeds, suite.pretraining_seeds]
    if read_json(suite.folder / _REPEATS) != repeats:
        write_json(suite.folder / _REPEATS, repeats)


def as_last_run(suite: Suite) -> Suite:
    """The suite with as many seeds as it was last run with."""
    match read_json(suite.folder / _REPEATS):
        case [int(seeds), int() | None as pretraining_seeds]:
            return replace(suite, seeds=seeds, pretraining_seeds=pretraining_seeds)
    return suite


def list_suites() -> list[str]:
    """Names of the suites that come with the project."""
    return sorted(path.stem for path in (CONFIGS / "suites").glob("*.py") if path.stem != "__init__")


_REPEATS = "repeats.json"
_SUITE_KEYS = frozenset(
    {
        *("backbones", "tasks", "seeds", "pretraining_seeds", "data", "prepare", "vocabulary"),
        "pretraining",
    }
)


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
    for option, number in (("--seeds", suite.seeds), ("--pretraining-seeds", suite.pretraining_seeds)):
        if number is not None and (not isinstance(number, int) or number < 1):
            raise UserError(f"{option} {number}: at least one seed is needed, in whole numbers")
    names = [entry.name for entry in suite.pretrainings()]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise UserError(f"{suite.path}: two pre-trainings are called {repeated.pop()}: rename one")
    from backbones import catalog

    made = {entry.backbone for entry in suite.pretraining}
    for spec in suite.backbones.values():
        if spec not in made and not spec.startswith("run:"):
            catalog.backbone_digest(spec)
    names = [task.name for task in suite.tasks]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise UserError(f"{suite.path}: two tasks are called {repeated.pop()}: give one a name=...")
    for task in suite.tasks:
        suite.data_of(task)


def shown(path: Path) -> str:
    """A path as a command shows it: relative inside the project, so that the command can be passed on."""
    path = Path(path)
    return path.relative_to(PROJECT).as_posix() if path.is_relative_to(PROJECT) else str(path)


def _shown_spec(spec: str) -> str:
    source, _, rest = spec.partition(":")
    return f"{source}:{shown(Path(rest))}" if source == "run" else spec
