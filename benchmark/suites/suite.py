"""What is to be run: a suite lists backbones, tasks at points of their axes, and seeds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

from benchmark.suites.cell import Cell, TaskConfig, load_task_config
from benchmark.suites.curve import Curve, read_curve
from benchmark.suites.settings import MOST_SEEDS, SuiteSettings, TaskEntry
from benchmark.tasks import task_type
from common.configs import CONFIGS, check_data_names, find_config, read_config
from common.errors import UserError
from common.files import read_json, write_json
from common.names import slug, suggest
from common.settings import checked
from pretraining.folder import kept_folder

DEFAULT_SUITE = "demo"
"""The suite that is meant where none is named."""


@dataclass(frozen=True)
class Pretraining:
    """One pre-training of a suite: the checkpoint folder `out` is made from `config` and the pairs `data`."""

    name: str
    config: Path
    overrides: dict[str, Any]
    out: Path
    data: str = "pairs"

    @property
    def backbone(self) -> str:
        return f"run:{self.out}"

    @property
    def kept(self) -> dict[int, str]:
        """The backbones that it keeps on its way: an entry of its recipe's ``keep`` -> backbone."""
        return {
            samples: f"run:{kept_folder(self.out, samples)}" for samples in self.overrides.get("keep", ())
        }

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
    """Backbones x tasks x axes x seeds, and how to make what they need; `load_suite` explains each entry.

    Attributes:
        seeds: transfers of every backbone.
        pretraining_seeds: pre-trainings, each of which is transferred `seeds` times; None: as many as
            transfers, one for each.
        curve: where pre-trainings are looked at on their way, if anywhere.
        baseline: name of the backbone that the others are compared with; None: the one trained as CLIP.
        margins: metric -> difference, in points, below which two backbones count as equally good by it.
        partial: what lacks its data or weights is left out of a run, which makes what can be made.
        tuning: recipes are chosen by it: it may look at no test image.
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
    curve: Curve | None = None
    baseline: str | None = None
    margins: dict[str, float] = field(default_factory=dict)
    partial: bool = False
    tuning: bool = False

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
                for name, backbone in self.backbones.items():
                    if task.backbones is not None and name not in task.backbones:
                        continue
                    place = (task, seed, self.data_of(task), self.results)
                    if (backbone, pretraining_seed) in made:
                        backbone = made[backbone, pretraining_seed].backbone
                        place += (pretraining_seed,)
                    further = tuple((other, self.data[other]) for other in task.further)
                    cell = Cell(self.name, name, backbone, *place, further=further)
                    cells.setdefault(cell.folder, cell)  # what is not pre-trained here is there once per seed
        return list(cells.values())

    def curve_cells(self) -> list[Cell]:
        """The points of the curve before its end, which `cells` has: rows of no table but the curve's."""
        if self.curve is None:
            return []
        made = {entry.backbone: entry for entry in self.pretrainings()}
        return [
            replace(cell, backbone=backbone, pretraining_samples=samples, further=())
            for cell in self.cells()
            if cell.backbone in made and cell.task.name in self.curve.tasks
            for samples, backbone in made[cell.backbone].kept.items()
        ]

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


def load_suite(
    name: str,
    results: Path,
    seeds: int | None = None,
    data: dict[str, Path] | None = None,
    pretraining_seeds: int | None = None,
    weights: Path | None = None,
) -> Suite:
    """Read a suite config: ``task_configs/suites/<name>.py`` or a file.

    The config's entries, all but `backbones` and `tasks` optional (``{results}`` stands for the results
    folder, ``{suite}`` for this suite's folder in it, ``{weights}`` for a folder of released weights):
        backbones: name -> what `backbones.load_backbone` understands.
        tasks: task configs, each a path or ``dict(config=path, set={key: value}, name=..., axes={axis:
            values}, backbones=[names], further=[names])``. A task with axes has a cell for every combination
            of their values; one with backbones is for these alone; further are test sets beside its own, by
            their names in data.
        seeds: how often pre-training and transfer are repeated, with seeds 0, 1, ...
        pretraining_seeds: how often pre-training alone is; `seeds` then says how often each of these
            backbones is transferred.
        data: name -> folder.
        prepare: name -> ``dict(type="module:function", ...)``: draws data in ``{results}/data/<name>`` when
            called with that folder, the other entries of the dict and a progress callback.
        vocabulary: arguments of `pretraining.labels.vocabulary.Vocabulary.count`.
        pretraining: name -> pre-training config (a path, or ``dict(config=..., set=..., data=name)``, by
            default of the data ``pairs``); written to ``{suite}/pretrain/<name>``, the backbone
            ``run:{suite}/pretrain/<name>``.
        curve: ``dict(samples=[...], tasks=[names])``: pre-trainings keep checkpoints at these sample counts,
            which are taken to these tasks, too: quality against cost (`benchmark.suites.curve`).
        baseline: name of the backbone that the others are compared with; default the one trained as CLIP.
        margins: metric -> the difference that matters, in points (`statistics.noninferiority.MARGIN` where a
            metric is not named). To be fixed before the first result is seen.
        partial: True for a suite that few will have all data and weights of: a run leaves out what lacks
            them, and ``plan`` says what that is.
        tuning: True for a suite that recipes are chosen by. Every task of it must be judged by other images
            than the test images: ``set={"+task.test": "val"}``.

    Args:
        results: the results folder.
        seeds, data, pretraining_seeds: replace or extend what the config says.
        weights: the folder of released weights; default ``{results}/weights``.

    Raises:
        UserError: no such suite, a mistake in it, or data that nothing in it reads.
    """
    path = _find_suite(name)
    results = Path(results).absolute()
    given = read_config(path).to_dict()
    given = {key: value for key, value in given.items() if not key.startswith("_")}
    config = checked(SuiteSettings, given, str(path))
    places = {"{results}": str(results), "{suite}": str(results / slug(path.stem))}
    places["{weights}"] = str(Path(weights or results / "weights").absolute())
    _check_weights(path, config, weights)
    pretraining = []
    for name, entry in config.pretraining.items():
        out = results / slug(path.stem) / "pretrain" / slug(name)
        found = find_config(entry.config, path.parent)
        pretraining.append(Pretraining(name, found, dict(entry.set), out, entry.data))
    tasks = [task for entry in config.tasks for task in _suite_tasks(path, entry)]
    curve = read_curve(path, config.curve, {task.name for task in tasks})
    pretraining = [_with_checkpoints(path, entry, curve) for entry in pretraining]
    suite = Suite(
        name=path.stem,
        path=path,
        results=results,
        data={key: _folder(_placed(value, places)) for key, value in config.data.items()},
        prepare=config.prepare,
        vocabulary=config.vocabulary.model_dump(exclude_unset=True),
        pretraining=pretraining,
        backbones={key: _placed(value, places) for key, value in config.backbones.items()},
        tasks=tasks,
        seeds=config.seeds if seeds is None else seeds,
        pretraining_seeds=config.pretraining_seeds if pretraining_seeds is None else pretraining_seeds,
        curve=curve,
        baseline=config.baseline,
        margins=config.margins,
        partial=config.partial,
        tuning=config.tuning,
    )
    read = {name for task in suite.tasks for name in (task.data_name, *task.further)}
    read |= {entry.data for entry in pretraining}
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
        case [int(seeds), int() | None as pretraining_seeds] if (
            0 < seeds <= MOST_SEEDS and 0 < (pretraining_seeds or 1) <= MOST_SEEDS
        ):
            return replace(suite, seeds=seeds, pretraining_seeds=pretraining_seeds)
    return suite


def list_suites() -> list[str]:
    """Names of the suites that come with the project."""
    return sorted(path.stem for path in (CONFIGS / "suites").glob("*.py") if path.stem != "__init__")


_REPEATS = "repeats.json"
_TEST_IMAGES = ("test", "auto", None)
"""What `task.test` says where a task is judged by test images."""


def _find_suite(name: str) -> Path:
    if (known := name.replace("-", "_")) in list_suites():
        return CONFIGS / "suites" / f"{known}.py"
    path = Path(name).expanduser()
    if path.suffix == ".py" and path.is_file():
        return path.resolve()
    raise UserError(f"unknown suite {name!r}: {suggest(name, list_suites())} (or the path of a suite file)")


def _suite_tasks(path: Path, entry: TaskEntry) -> list[TaskConfig]:
    """The task of one entry, at every point of its axes."""
    task = load_task_config(entry.config, dict(entry.set), path.parent)
    if entry.further and not task_type(task.type).further:
        raise UserError(
            f"{path}: {task.name}: a {task.type} takes no further test sets: leave further=... out"
        )
    task = replace(task, name=entry.name or task.name, backbones=entry.backbones, further=entry.further)
    for axis, values in entry.axes.items():
        if not isinstance(values, list | tuple) or not values:
            raise UserError(f"{path}: axis {axis!r} of {task.name} is {values!r}: give a list of its values")
    if not entry.axes:
        return [task]
    points = product(*entry.axes.values())
    return [task.at(dict(zip(entry.axes, point, strict=True))) for point in points]


def _with_checkpoints(path: Path, entry: Pretraining, curve: Curve | None) -> Pretraining:
    """The same pre-training, its recipe checked, which keeps the checkpoints of a curve if there is one.

    Raises:
        UserError: the recipe is wrong, or they are not on its way.
    """
    from pretraining.recipe import load_recipe

    try:
        load_recipe(entry.config, entry.overrides)
    except UserError as error:
        raise UserError(f"{path}: pretraining, {entry.name}: {error}") from None
    if curve is None:
        return entry
    try:
        own = entry.overrides.get("keep", read_config(entry.config).get("keep", ()))
        kept = {**entry.overrides, "keep": sorted({*own, *curve.samples})}
        load_recipe(entry.config, kept)
    except UserError as error:
        raise UserError(f"{path}: curve: {error}") from None
    return replace(entry, overrides=kept)


def _placed(text: str, places: dict[str, str]) -> str:
    for placeholder, folder in places.items():
        text = text.replace(placeholder, folder)
    return text


def _check_weights(path: Path, config: SuiteSettings, weights: Path | None) -> None:
    """Refuse a folder of weights that nothing is looked for in, or that is not there."""
    if weights is None:
        return
    if not any("{weights}" in backbone for backbone in config.backbones.values()):
        raise UserError(f"--weights {weights}: {path.stem} has no backbone from a folder of released weights")
    if not Path(weights).is_dir():
        raise UserError(f"--weights {weights}: there is no such folder")


def _folder(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _check(suite: Suite) -> None:
    for option, number in (("--seeds", suite.seeds), ("--pretraining-seeds", suite.pretraining_seeds)):
        if number is not None and not 1 <= number <= MOST_SEEDS:
            raise UserError(f"{option} {number}: at least one seed is needed, and {MOST_SEEDS:,} at most")
    names = [entry.name for entry in suite.pretrainings()]
    if suite.curve and not names:
        raise UserError(f"{suite.path}: curve: no pre-training is here to be looked at: add pretraining=...")
    if suite.baseline is not None and suite.baseline not in suite.backbones:
        known = suggest(str(suite.baseline), suite.backbones)
        raise UserError(f"{suite.path}: baseline: no backbone is called {suite.baseline!r}: {known}")
    if repeated := {name for name in names if names.count(name) > 1}:
        raise UserError(f"{suite.path}: two pre-trainings are called {repeated.pop()}: rename one")
    from backbones import catalog

    made = {entry.backbone for entry in suite.pretraining}
    for backbone in suite.backbones.values():
        if backbone not in made and not backbone.startswith("run:"):
            check = catalog.describe if suite.partial else catalog.backbone_digest
            check(backbone)
    names = [task.label for task in suite.tasks]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise UserError(f"{suite.path}: two tasks are called {repeated.pop()}: give one a name=...")
    for task in suite.tasks:
        if suite.tuning and (task.further or task.cfg.task.get("test", "test") in _TEST_IMAGES):
            raise UserError(
                f"{suite.path}: {task.name} would look at test images, and recipes are chosen by this suite "
                "(tuning=True): judge it by others, set={'+task.test': 'val'}, and by no further test sets"
            )
        suite.data_of(task)
        for name in task.further:
            if name not in suite.data:
                raise UserError(
                    f"{suite.path}: task {task.name}: no data are called {name!r}: "
                    f"{suggest(name, suite.data)} (or add --data {name}=PATH)"
                )
        for name in task.backbones or ():
            if name not in suite.backbones:
                known = suggest(name, suite.backbones)
                raise UserError(f"{suite.path}: task {task.name}: no backbone is called {name!r}: {known}")
