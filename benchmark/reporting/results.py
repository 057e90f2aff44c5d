"""What a suite found, cell by cell and summed up per backbone and task, before it is laid out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from backbones.errors import UserError
from benchmark.record import Metric, Record
from benchmark.store import find_records, read_record
from benchmark.suite import Cell, Suite


@dataclass
class Row:
    """One cell. `status` is done, failed, missing, or outdated: of another protocol, config or data."""

    backbone: str
    spec: str
    task: str
    seed: int
    folder: Path
    record: Record | None
    status: str


class Column(NamedTuple):
    """One metric of one task; `metric` is None while no cell of the task is done. `key` names its files."""

    task: str
    metric: str | None
    key: str


@dataclass
class Figure:
    """A backbone's result on a task, over its seeds.

    Attributes:
        metric: means over the seeds that are done; None when none is.
        status: done, or what the worst of its cells is.
        seeds: number of seeds that are done.
        spread: smallest and largest value over seeds.
        chosen: what was chosen on validation data, of the first seed.
        error: of a failed cell.
    """

    status: str
    metric: Metric | None = None
    name: str = ""
    seeds: int = 0
    spread: tuple[float, float] | None = None
    chosen: dict[str, Any] = field(default_factory=dict)
    error: str | None = None

    @property
    def unit(self) -> str:
        """The unit to print beside the metric's name; empty where the name says it (``bbox_mAP``)."""
        unit = self.metric.unit if self.metric else ""
        return {"percent": "%"}.get(unit, "" if unit in self.name else unit)


@dataclass
class Results:
    """Everything the tables and plots of one suite are made from."""

    suite: str
    folder: Path
    rows: list[Row]
    notes: list[str] = field(default_factory=list)

    @property
    def backbones(self) -> dict[str, str]:
        """Name -> spec, in the suite's order."""
        return {row.backbone: row.spec for row in self.rows}

    @property
    def tasks(self) -> list[str]:
        return list(dict.fromkeys(row.task for row in self.rows))

    @property
    def failed(self) -> int:
        return sum(row.status != "done" for row in self.rows)

    def description(self, backbone: str) -> dict[str, Any]:
        """What a backbone says of itself (`backbones.catalog.describe`), as its latest record noted it."""
        described = [row.record for row in self.rows if row.backbone == backbone and row.record]
        for record in sorted(described, key=lambda record: record.finished, reverse=True):
            if record.backbone.description:
                return record.backbone.description
        return {}

    def columns(self) -> list[Column]:
        """What the tables and plots show, task by task, the primary metric first."""
        columns = []
        for task in self.tasks:
            done = [row.record for row in self.rows if row.task == task and row.status == "done"]
            first, *others = dict.fromkeys(name for r in done for name in (r.primary, *r.also)) or [None]
            columns.append(Column(task, first, task))
            columns += [Column(task, name, f"{task}_{name}") for name in others]
        return columns

    def figure(self, backbone: str, task: str, name: str | None = None) -> Figure:
        """Sum up the seeds of one backbone on one task, by the metric `name` (default: the primary one)."""
        rows = [row for row in self.rows if row.backbone == backbone and row.task == task]
        done = [row.record for row in rows if row.status == "done"]
        order = ("failed", "outdated", "missing", "done")
        status = min((row.status for row in rows), key=order.index, default="missing")
        error = next((row.record.error for row in rows if row.record and row.status == "failed"), None)
        if not done:
            return Figure(status, error=error)
        name = name or done[0].primary
        headlines = [record.metrics[name] for record in done]
        values = [metric.value for metric in headlines]
        return Figure(
            status=status,
            metric=_mean(headlines),
            name=name,
            seeds=len(done),
            spread=(min(values), max(values)),
            chosen=done[0].chosen,
            error=error,
        )

    def all_notes(self) -> list[str]:
        """Notes under the tables, each once."""
        notes = list(self.notes)
        for row in self.rows:
            if row.status == "done":
                notes += row.record.notes
            elif row.status == "failed":
                notes.append(
                    f"{row.backbone} on {row.task}, seed {row.seed}, failed: {_first_line(row.record.error)}"
                )
        notes += [note for task in self.tasks if (note := self._truth_note(task))]
        if any(self.figure(name, task).seeds > 1 for name in self.backbones for task in self.tasks):
            notes.append(
                "Figures of several seeds are means; their intervals are the means of the seeds': they "
                "say how far the test images limit a figure. How seeds differ is the range in parentheses."
            )
        return list(dict.fromkeys(notes))

    def _truth_note(self, task: str) -> str | None:
        """Which truth the intervals of a task are for, and how far off its figures are from it on average."""
        truths, biases, reached = [], [], []
        for _, name, _ in (column for column in self.columns() if column.task == task and column.metric):
            metrics = [self.figure(backbone, task, name).metric for backbone in self.backbones]
            truths += [metric.truth for metric in metrics if metric and metric.truth]
            reached += [metric.coverage for metric in metrics if metric and metric.coverage is not None]
            found = [metric.bias for metric in metrics if metric and metric.bias is not None]
            if found:
                extent = dict.fromkeys(f"{bias:+.1f}" for bias in (min(found), max(found)))
                biases.append(f"{name} {' to '.join(extent)}")
        if not truths:
            return None
        note = (
            f"{task}: 95 % intervals are for the {' or '.join(dict.fromkeys(truths))} that the test set is a "
            "sample of"
        )
        if biases:
            note += (
                ", not for test sets of this size. The figures are the plain ones of the literature; their "
                f"estimated bias, which the intervals are freed of, is {', '.join(biases)}"
            )
        if reached:
            extent = dict.fromkeys(f"{share:.0f}" for share in (min(reached), max(reached)))
            note += f". In simulated worlds such intervals held the truth in {' to '.join(extent)} %"
        return f"{note}."

    def content(self) -> list[Any]:
        """Everything that is shown, as JSON can hold it."""
        rows = [
            [
                row.backbone,
                row.spec,
                row.task,
                row.seed,
                row.status,
                row.record and row.record.model_dump_json(),
            ]
            for row in self.rows
        ]
        return [self.suite, rows, self.notes]


def of_suite(suite: Suite, records: Iterable[Record] | None = None) -> Results:
    """Results of the cells a suite's config lists.

    Args:
        records: of all cells, in order, where they are at hand; otherwise they are read.
    """
    cells = suite.cells()
    found = list(records) if records is not None else [read_record(cell.folder) for cell in cells]
    rows = [
        _row(cell.backbone, cell.spec, cell.task.name, cell.seed, cell.folder, record)
        for cell, record in zip(cells, found, strict=True)
    ]
    return _without_mixing(Results(suite.name, suite.folder, rows))


def of_folder(folder: Path) -> Results:
    """Results of whatever records a folder holds (``results/single`` has no config).

    Raises:
        UserError: there are none.
    """
    rows = []
    for path, record in find_records(folder):
        name, spec = record.backbone.name, record.backbone.spec
        rows.append(_row(name, spec, record.task.name, record.seed, path, record))
    if not rows:
        raise UserError(f"{folder} holds no records: run python run_suite.py, or name the suite with --suite")
    return _without_mixing(Results(rows[0].record.suite, Path(folder), rows))


def of_cell(cell: Cell, record: Record) -> Results:
    """Results of one cell by itself."""
    row = _row(cell.backbone, cell.spec, cell.task.name, cell.seed, cell.folder, record)
    return Results(cell.suite, cell.folder.parents[2], [row])


def _row(backbone: str, spec: str, task: str, seed: int, folder: Path, record: Record | None) -> Row:
    return Row(backbone, spec, task, seed, folder, record, record.status if record else "missing")


def _without_mixing(results: Results) -> Results:
    """Mark records outdated that may not stand in one column with the newest ones of their task."""
    for task in results.tasks:
        done = [row for row in results.rows if row.task == task and row.status == "done"]
        if not done:
            continue
        newest = max(done, key=lambda row: (row.record.task.protocol, row.record.finished))
        old = [row for row in done if _kind(row.record) != _kind(newest.record)]
        for row in old:
            row.status = "outdated"
        if old:
            names = ", ".join(dict.fromkeys(row.backbone for row in old))
            results.notes.append(
                f"{task}: left out {names}: measured with another protocol version, config or data than the "
                f"newest records (protocol {newest.record.task.protocol}); run the suite again to compare."
            )
    return results


def _kind(record: Record) -> tuple[Any, ...]:
    return record.task.protocol, record.task.config_digest, record.data.digest


def _mean(metrics: list[Metric]) -> Metric:
    def mean(values: list[float | None]) -> float | None:
        return None if None in values else sum(values) / len(values)

    return metrics[0].model_copy(
        update={
            name: mean([getattr(metric, name) for metric in metrics])
            for name in ("value", "low", "high", "bias", "coverage")
        }
    )


def _first_line(text: str | None) -> str:
    return (text or "unknown error").strip().splitlines()[0]
