"""What a suite found, cell by cell and summed up per backbone and task, before it is laid out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from backbones.card import Card
from benchmark.records.schema import Metric, Record
from benchmark.records.store import read_or_damage, record_folders
from benchmark.statistics.spread import Spread, spread
from benchmark.suites.cell import Cell, seeds_label, task_label
from benchmark.suites.suite import Suite
from common.errors import UserError

COSTS = (
    *("samples", "flops", "cpu_seconds", "seconds", "images_per_second", "peak_memory_bytes"),
    "labelling_seconds",
)
"""What is told of a pre-training's cost: fields of `backbones.card.TrainingCost`."""

NO_SPREAD = Spread(None)
SHARE = "fraction"
"""The axis of the share of the training data that is used."""


@dataclass
class Row:
    """One cell.

    Attributes:
        name: the backbone's, in the suite.
        backbone: what `backbones.load_backbone` understands.
        task: the task and its point on the task's axes, as `benchmark.suites.cell.task_label` writes them.
        task_name: the task alone.
        axes: that point.
        seed, pretraining_seed: of this repetition.
        folder: where its record is, or would be.
        record: None where there is none.
        pretraining_samples: where on the way of its pre-training the backbone is of; None: of its end.
        kind: of task (`benchmark.tasks.TASKS`).
        config: the task config's file.
        data: name of the data.
        status: ``done``, ``failed``, ``missing``, ``outdated``: of another protocol, config or data; or
            ``damaged``: there is a record that cannot be read.
        damage: what is wrong with such a record.
    """

    name: str
    backbone: str
    task: str
    task_name: str
    axes: dict[str, Any]
    seed: int
    pretraining_seed: int | None
    folder: Path
    record: Record | None
    status: str
    pretraining_samples: int | None = None
    kind: str = ""
    config: str = ""
    data: str = ""
    damage: str = ""

    @property
    def error(self) -> str:
        """The first line of why it is not done, where that is known."""
        said = self.damage or (self.record and self.record.error) or ""
        return said.strip().partition("\n")[0]

    @property
    def repetition(self) -> str:
        """Its seeds in words."""
        return seeds_label(self.seed, self.pretraining_seed, self.pretraining_samples)


class Column(NamedTuple):
    """One metric of one task; `metric` is None while no cell of the task is done. `key` names its files."""

    task: str
    metric: str | None
    key: str


@dataclass
class Score:
    """A backbone's result on a task, over its seeds.

    Attributes:
        metric: means over the seeds that are done; None when none is.
        status: done, or what the worst of its cells is; ``–`` of a backbone that the task is not for.
        values: of each repetition that is done.
        spread: standard deviations over these.
        chosen: what was chosen on validation data, of the first seed.
        error: of a failed cell.
    """

    status: str
    metric: Metric | None = None
    name: str = ""
    values: tuple[float, ...] = ()
    spread: Spread = NO_SPREAD
    chosen: dict[str, Any] = field(default_factory=dict)
    error: str | None = None

    @property
    def seeds(self) -> int:
        """How many repetitions are done."""
        return len(self.values)


@dataclass
class Results:
    """Everything the tables and plots of one suite are made from.

    Attributes:
        rows: cells of finished backbones.
        points: cells of backbones on their way, which the curves alone show (`reporting.trajectories`).
        shares: cells that were given a share of the training data, which the tables and plots of
            data-efficiency alone show (`reporting.efficiency`).
        chosen_baseline: the backbone that the suite's config compares the others with, if it names one.
        margins: metric -> the difference that matters, in points, as the suite's config has it.
    """

    suite: str
    folder: Path
    rows: list[Row]
    notes: list[str] = field(default_factory=list)
    points: list[Row] = field(default_factory=list)
    shares: list[Row] = field(default_factory=list)
    chosen_baseline: str | None = None
    margins: dict[str, float] = field(default_factory=dict)

    @property
    def baseline(self) -> str | None:
        """The backbone that the others are compared with: the chosen one, or the only one trained as CLIP."""
        if self.chosen_baseline in self.backbones:
            return self.chosen_baseline
        found = [name for name in self.backbones if self.card(name).objective == "clip"]
        return found[0] if len(found) == 1 else None

    def margin(self, metric: str) -> float:
        """The difference that matters, in points."""
        from benchmark.statistics.noninferiority import MARGIN

        return self.margins.get(metric, MARGIN)

    @property
    def all_rows(self) -> list[Row]:
        """Every cell, wherever it is shown."""
        return self.rows + self.points + self.shares

    @property
    def backbones(self) -> dict[str, str]:
        """Name -> backbone (of the first seed), in the suite's order."""
        found: dict[str, str] = {}
        for row in self.rows + self.shares:
            found.setdefault(row.name, row.backbone)
        return found

    @property
    def tasks(self) -> list[str]:
        return list(dict.fromkeys(row.task for row in self.rows))

    @property
    def failed(self) -> int:
        return sum(row.status != "done" for row in self.all_rows)

    def card(self, name: str) -> Card:
        """What a backbone says of itself (`backbones.catalog.describe`), as its latest record noted it."""
        described = [row.record for row in self.rows + self.shares if row.name == name and row.record]
        for record in sorted(described, key=lambda record: record.finished, reverse=True):
            if record.backbone.description:
                return Card.from_record(record.backbone.description)
        return Card()

    def columns(self) -> list[Column]:
        """What the tables and plots show, task by task, the primary metric first."""
        columns = []
        for task in self.tasks:
            done = [row.record for row in self.rows if row.task == task and row.status == "done"]
            first, *others = dict.fromkeys(name for r in done for name in (r.primary, *r.also)) or [None]
            columns.append(Column(task, first, task))
            columns += [Column(task, name, f"{task}_{name}") for name in others]
        return columns

    def score(self, name: str, task: str, metric: str | None = None) -> Score:
        """Sum up the seeds of one backbone on one task, by one metric (default: the primary one)."""
        rows = [row for row in self.rows if row.name == name and row.task == task]
        done = [row.record for row in rows if row.status == "done"]
        order = ("failed", "damaged", "outdated", "missing", "done")
        status = min((row.status for row in rows), key=order.index, default="–")
        error = next((row.error for row in rows if row.status in ("failed", "damaged")), None)
        if not done:
            return Score(status, error=error)
        metric = metric or done[0].primary
        done = [record for record in done if metric in record.metrics]
        if not done:
            return Score("missing")
        headlines = [record.metrics[metric] for record in done]
        by_pretraining: dict[int | None, list[float]] = {}
        for record, headline in zip(done, headlines, strict=True):
            by_pretraining.setdefault(record.pretraining_seed, []).append(headline.value)
        return Score(
            status=status,
            metric=mean_metric(headlines),
            name=metric,
            values=tuple(headline.value for headline in headlines),
            spread=spread(by_pretraining),
            chosen=done[0].chosen,
            error=error,
        )

    def cost(self, name: str) -> dict[str, float | None]:
        """What a backbone's pre-training cost, mean over its seeds; None for what is not known.

        ``cpu_seconds`` are with those of mining labels.
        """
        by_seed = {}
        records = [row.record for row in self.rows if row.name == name and row.record]
        for record in sorted(records, key=lambda record: record.finished):
            if cost := Card.from_record(record.backbone.description).cost:
                if cost.cpu_seconds is not None:
                    mined = cost.labelling_seconds or 0.0
                    cost = cost.model_copy(update={"cpu_seconds": cost.cpu_seconds + mined})
                by_seed[record.pretraining_seed] = cost
        found = {}
        for key in COSTS:
            values = [value for cost in by_seed.values() if (value := getattr(cost, key)) is not None]
            found[key] = sum(values) / len(values) if values else None
        return found

    def content(self) -> list[Any]:
        """Everything that is shown, as JSON can hold it."""
        rows = [
            [
                row.name,
                row.backbone,
                row.task,
                row.seed,
                row.pretraining_seed,
                row.status,
                row.record and row.record.model_dump_json(),
            ]
            for row in self.all_rows
        ]
        return [self.suite, rows, self.notes, self.baseline, self.margins]


def seeds_text(scores: Iterable[Score]) -> str:
    """How many seeds stand behind figures: ``1 seed``, ``3 seeds``, ``1 to 3 seeds``."""
    fewest, *_, most = sorted(2 * [score.seeds for score in scores])
    return seeds_words(most) if fewest == most else f"{fewest} to {most} seeds"


def seeds_words(repetitions: int, pretrainings: int | None = None) -> str:
    """A number of seeds, and where it differs of how many pre-trainings: ``4 seeds of 2 pre-trainings``."""
    text = f"{repetitions} seed{'' if repetitions == 1 else 's'}"
    if pretrainings in (None, repetitions):
        return text
    return f"{text} of {pretrainings} pre-training{'' if pretrainings == 1 else 's'}"


def of_suite(suite: Suite, records: Iterable[Record] | None = None) -> Results:
    """Results of the cells a suite's config lists.

    Args:
        records: of all cells, then those of the curve, in order, where they are at hand; otherwise they are
            read.
    """
    cells = suite.cells() + suite.curve_cells()
    found = [(record, "") for record in records] if records is not None else None
    found = found or [read_or_damage(cell.folder) for cell in cells]
    rows = [_row_of_cell(cell, *read) for cell, read in zip(cells, found, strict=True)]
    results = _results(suite.name, suite.folder, rows)
    results.chosen_baseline, results.margins = suite.baseline, suite.margins
    if suite.tuning:
        results.notes.append("Recipes are chosen by these figures: validation images judge, not test images.")
    return results


def of_folder(folder: Path) -> Results:
    """Results of whatever records a folder holds (``results/single`` has no config).

    Raises:
        UserError: there are none.
    """
    rows = []
    for path in record_folders(folder):
        record, damage = read_or_damage(path)
        if record is None:
            name, task = path.parents[1].name, path.parents[0].name
            rows.append(Row(name, "", task, task, {}, 0, None, path, None, "damaged", damage=damage))
            continue
        rows.append(
            Row(
                name=record.backbone.name,
                backbone=record.backbone.spec,
                task=task_label(record.task.name, record.task.axes),
                task_name=record.task.name,
                axes=record.task.axes,
                seed=record.seed,
                pretraining_seed=record.pretraining_seed,
                folder=path,
                record=record,
                status=record.status,
                pretraining_samples=record.pretraining_samples,
                kind=record.task.type,
                config=record.task.config,
                data=record.data.name,
            )
        )
    if not rows:
        raise UserError(f"{folder} holds no records: run python run_suite.py, or name the suite with --suite")
    suite = next((row.record.suite for row in rows if row.record), Path(folder).name)
    return _results(suite, Path(folder), rows)


def of_cell(cell: Cell, record: Record) -> Results:
    """Results of one cell by itself."""
    return Results(cell.suite, cell.folder.parents[2], [_row_of_cell(cell, record)])


def _row_of_cell(cell: Cell, record: Record | None, damage: str = "") -> Row:
    return Row(
        name=cell.name,
        backbone=cell.backbone,
        task=cell.task.label,
        task_name=cell.task.name,
        axes=cell.task.axes,
        seed=cell.seed,
        pretraining_seed=cell.pretraining_seed,
        folder=cell.folder,
        record=record,
        status=record.status if record else "damaged" if damage else "missing",
        pretraining_samples=cell.pretraining_samples,
        kind=cell.task.type,
        config=cell.task.path.name,
        data=cell.task.data_name,
        damage=damage,
    )


def _results(suite: str, folder: Path, rows: list[Row]) -> Results:
    """The results of all rows, those on the way and those of a share of the data apart."""
    ends, points, shares = [], [], []
    for row in rows:
        kind = points if row.pretraining_samples is not None else shares if SHARE in row.axes else ends
        kind.append(row)
    return _without_mixing(Results(suite, folder, ends, points=points, shares=shares))


def _without_mixing(results: Results) -> Results:
    """Mark records outdated that may not stand in one column with the newest ones of their task."""
    for task in dict.fromkeys(row.task for row in results.all_rows):
        done = [row for row in results.all_rows if row.task == task and row.status == "done"]
        if not done:
            continue
        newest = max(done, key=lambda row: (row.record.task.protocol, row.record.finished))
        old = [row for row in done if _kind(row.record) != _kind(newest.record)]
        # of backbones on their way nobody asks how they do on further test sets
        ends = [row for row in done if row.pretraining_samples is None and row not in old]
        latest = max(ends, key=lambda row: row.record.finished, default=None)
        old += [row for row in ends if _further(row.record) != _further(latest.record)]
        for row in old:
            row.status = "outdated"
        if old:
            names = ", ".join(dict.fromkeys(f"{row.name} (of {row.record.finished[:10]})" for row in old))
            results.notes.append(
                f"{task}: left out {names}: measured with another protocol version, config or data than the "
                f"newest records (protocol {newest.record.task.protocol}, of {newest.record.finished[:10]}); "
                "run the suite again to compare."
            )
    return results


def _kind(record: Record) -> tuple[Any, ...]:
    return record.task.protocol, record.task.config_digest, record.data.digest


def _further(record: Record) -> dict[str, str | None]:
    return {entry.name: entry.digest for entry in record.further}


def mean_metric(metrics: list[Metric]) -> Metric:
    """One metric of several runs: means of figures and of ends of intervals, None where a run lacks it."""

    def mean(values: list[float | None]) -> float | None:
        return None if None in values else sum(values) / len(values)

    return metrics[0].model_copy(
        update={
            name: mean([getattr(metric, name) for metric in metrics])
            for name in ("value", "low", "high", "bias", "coverage")
        }
    )
