"""What of a suite is done, what is left, what that waits for, and what it would cost. Nothing is computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Literal

from benchmark import tasks
from benchmark.records.published import Panel, Reference, panel_keys, panel_parts
from benchmark.records.schema import Record
from benchmark.records.store import read_record
from benchmark.running import needs
from benchmark.suites.cell import Cell, TaskConfig, shown
from benchmark.suites.suite import Pretraining, Suite
from common.configs import CONFIGS
from common.digest import digest
from common.errors import UserError
from pretraining import recipe as recipes
from pretraining.objectives import objective_type

if TYPE_CHECKING:
    from benchmark.speed.devices import Device

State = Literal["done", "failed", "outdated", "to do", "blocked"]
"""``outdated``: its record is of another protocol or config; ``blocked``: it lacks what nobody here makes."""


@dataclass(frozen=True)
class StagePlan:
    """A pre-training.

    Attributes:
        name: of its folder.
        state: ``done``, ``to do`` or ``blocked``.
        waits_for: what a blocked one lacks.
        samples: pairs it sees.
        classes: that its cost is counted with; None where its objective reads no labels.
        assumed: whether these are the classes of a like geometry, because no vocabulary was counted yet.
        flops: of all of it; None where it is done, or cannot be counted.
        device_hours: predicted for one device alone, without communication.
    """

    name: str
    state: State
    waits_for: str | None
    samples: int
    classes: int | None = None
    assumed: bool = False
    flops: float | None = None
    device_hours: float | None = None


@dataclass(frozen=True)
class TaskPlan:
    """The cells of one task.

    Attributes:
        name: of the task.
        config: its file.
        cells: how many there are.
        states: state -> how many cells are in it.
        seconds: that the cells which are left would take, as long as finished ones of the same task did; None
            where none is finished.
        detectable: the smallest difference that its test set and seeds could detect, in words; None where
            nobody said.
    """

    name: str
    config: str
    cells: int
    states: dict[State, int]
    seconds: float | None
    detectable: str | None = None

    @property
    def left(self) -> int:
        """Cells that a run would compute or try."""
        return self.cells - self.states.get("done", 0)


@dataclass(frozen=True)
class PanelPlan:
    """A table or figure of the paper.

    Attributes:
        name: as ``table2``.
        title: what it shows.
        cells: of the suite that make it.
        done: how many of these are.
        commands: what makes it beside cells.
        missing: what the suite cannot make of it.
        notes: what must be known to read it.
    """

    name: str
    title: str
    cells: int
    done: int
    commands: tuple[str, ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What `plan_of` found.

    Attributes:
        suite: its name.
        device: that costs of pre-trainings are predicted for.
        stages: pre-trainings.
        tasks: the suite's tasks, those at several points of their axes as one.
        panels: of the paper; none where the suite has no cell of it.
        waits_for: what blocked cells lack -> how many cells that blocks.
    """

    suite: str
    device: str
    stages: list[StagePlan]
    tasks: list[TaskPlan]
    panels: list[PanelPlan]
    waits_for: dict[str, int]

    @property
    def cells(self) -> int:
        return sum(task.cells for task in self.tasks)

    @property
    def done(self) -> int:
        return sum(task.states.get("done", 0) for task in self.tasks)


def plan_of(
    suite: Suite,
    device: Device,
    detectable: Callable[[TaskConfig], str | None] = lambda task: None,
    reference: Reference | None = None,
) -> Plan:
    """Look at a suite's folders and data without computing anything.

    A cell counts as done by its record's protocol and config: digests of weights and data, which take long on
    large ones, are compared when the suite is run.

    Args:
        suite: what to look at.
        device: that pre-trainings are predicted for.
        detectable: says of a task which difference it could detect.
        reference: the tables of what was published.

    Raises:
        UserError: a config or a table has a mistake.
    """
    cells = suite.cells() + suite.curve_cells()
    found = [(cell, *_state(suite, cell)) for cell in cells]
    waits_for: dict[str, int] = {}
    for _, _, lacking, _ in found:
        for reason in lacking:
            waits_for[reason] = waits_for.get(reason, 0) + 1
    grouped: dict[str, list[tuple[Cell, State, Record | None]]] = {}
    for cell, state, _, record in found:
        grouped.setdefault(cell.task.name, []).append((cell, state, record))
    predicted = _predictions(device)
    stages = [_stage(suite, entry, predicted) for entry in suite.pretrainings()]
    panels = _panels(
        (reference or Reference(strict=False)).panels, [(cell, state) for cell, state, *_ in found]
    )
    planned = [_task(name, entries, detectable) for name, entries in grouped.items()]
    return Plan(suite.name, device.name, stages, planned, panels, waits_for)


def _state(suite: Suite, cell: Cell) -> tuple[State, list[str], Record | None]:
    """Of a cell: its state, what it waits for, and its record."""
    record = read_record(cell.folder)
    same = record is not None and (
        record.task.protocol == tasks.task_type(cell.task.type).protocol
        and record.task.config_digest == cell.task.config_digest()
    )
    if same and record.status == "done":
        return "done", [], record
    if lacking := needs.of_cell(suite, cell):
        return "blocked", lacking, record
    if same:
        return "failed", [], record
    return ("to do" if record is None or record.status == "failed" else "outdated"), [], record


def _task(
    name: str,
    entries: list[tuple[Cell, State, Record | None]],
    detectable: Callable[[TaskConfig], str | None],
) -> TaskPlan:
    states: dict[State, int] = {}
    for _, state, _ in entries:
        states[state] = states.get(state, 0) + 1
    took = [record.cost.seconds for _, state, record in entries if state == "done" and record.cost]
    left = len(entries) - states.get("done", 0)
    seconds = 0.0 if not left else left * fmean(took) if took else None
    task = entries[0][0].task
    return TaskPlan(name, shown(task.path), len(entries), states, seconds, detectable(task))


def _stage(suite: Suite, entry: Pretraining, predicted: Callable[..., tuple[float, float]]) -> StagePlan:
    recipe, pairs = recipes.load_recipe(entry.config, entry.overrides), suite.data[entry.data]
    lacking = needs.of_pretraining(suite, entry)
    made = (entry.out / "backbone.json").is_file()
    # without its pairs nobody can say what else a checkpoint might be of
    if made and (
        not pairs.exists() or recipes.finished(entry.config, entry.out, {"pairs": pairs}, entry.overrides)
    ):
        return StagePlan(entry.name, "done", None, recipe.samples)
    state: State = "blocked" if lacking else "to do"
    try:
        classes, assumed = _classes(recipe, pairs)
        flops, seconds = predicted(recipe, classes)
    except UserError:  # an objective or a shape that the cost model does not know
        return StagePlan(entry.name, state, lacking, recipe.samples)
    cost = {"flops": flops * recipe.samples, "device_hours": seconds * recipe.samples / 3600}
    return StagePlan(entry.name, state, lacking, recipe.samples, classes, assumed, **cost)


def _classes(recipe: recipes.Recipe, pairs: Path) -> tuple[int | None, bool]:
    """Classes of a pre-training, and whether they are assumed: those of a speed geometry of the same ViT."""
    from benchmark.speed.geometry import list_geometries, load_geometry
    from pretraining.labels.vocabulary import Vocabulary

    if not objective_type(recipe.objective.get("type")).files:
        return None, False
    if (file := pairs / "vocabulary.csv").is_file():
        return len(Vocabulary.load(file).cut(recipe.objective.get("min_count", 1))), False
    for geometry in map(load_geometry, list_geometries()):
        if geometry.architecture == recipe.architecture:
            return geometry.classes, True
    raise UserError(f"nobody says how many classes {recipe.architecture} learns before captions are labelled")


def _predictions(device: Device) -> Callable[[recipes.Recipe, int | None], tuple[float, float]]:
    """What predicts FLOPs and device-seconds of a sample; each kind of training is counted once."""
    from benchmark.speed.forecast import per_sample

    known: dict[str, tuple[float, float]] = {}

    def predicted(recipe: recipes.Recipe, classes: int | None) -> tuple[float, float]:
        options = {key: value for key, value in recipe.objective.items() if key != "min_count"}
        key = digest([recipe.architecture, recipe.image_size, options, classes])
        if key not in known:
            known[key] = per_sample(recipe, classes, device)
        return known[key]

    return predicted


def _panels(panels: list[Panel], found: list[tuple[Cell, State]]) -> list[PanelPlan]:
    """The paper's panels as far as a suite has cells of them; of a suite that has none, none."""
    places = {cell.folder: (_key(cell), state) for cell, state in found}
    planned = []
    for name, parts in panel_parts(panels).items():
        keys = {key for part in parts for key in panel_keys(part)}
        states = [state for key, state in places.values() if key in keys]
        told = {
            kind: tuple(dict.fromkeys(text for part in parts if (text := getattr(part, kind))))
            for kind in ("command", "missing", "note")
        }
        done = states.count("done")
        planned.append(PanelPlan(name, parts[0].title, len(states), done, *told.values()))
    return planned if any(panel.cells for panel in planned) else []


def _key(cell: Cell) -> tuple[str, str, frozenset[str]]:
    path = cell.task.path
    config = path.relative_to(CONFIGS).as_posix() if path.is_relative_to(CONFIGS) else str(path)
    return config, cell.name, frozenset(cell.task.axes)
