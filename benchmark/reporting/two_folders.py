"""Two folders of results side by side: two versions, two machines; what differs, and how well runs repeat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.records.schema import Metric, Record
from benchmark.reporting.names import column_title, figure_text, metric_title, task_title, task_titles
from benchmark.reporting.results import Results, Row, mean_metric
from benchmark.reporting.tables import csv_text, escape, markdown_table, rich_table
from common.digest import digest
from common.errors import UserError
from common.files import write_text
from common.names import slug

if TYPE_CHECKING:
    from rich.table import Table

Run = tuple[int, int]
"""Pre-training seed and seed: what is repeated."""


@dataclass(frozen=True)
class Compared:
    """One metric of one cell in both folders, mean over the runs that both have.

    Attributes:
        backbone: its name.
        task: the task and its point, as records name it.
        title: the same as people read it.
        samples: where on the way of its pre-training the backbone is of; None: of its end.
        metric: its name in records.
        shown: whether the tables of a suite show it.
        first, second: the figure in either folder; None where there is none.
        states: why there is none: ``missing`` or ``failed``; else ``done``.
        runs: how many the means are over.
        differs: what keeps the figures from being the same measurement, in words; empty where nothing does.
        surroundings: what else was different, and may not matter.
        largest: largest difference of two runs of one fingerprint; None where there are none.
    """

    backbone: str
    task: str
    title: str
    samples: int | None
    metric: str
    shown: bool
    first: Metric | None
    second: Metric | None
    states: tuple[str, str]
    runs: int
    differs: tuple[str, ...]
    surroundings: tuple[str, ...]
    largest: float | None

    @property
    def difference(self) -> float | None:
        """The second folder's figure less the first one's."""
        return self.second.value - self.first.value if self.first and self.second else None

    @property
    def overlap(self) -> bool | None:
        """Whether the 95 % intervals share a point; None where one is missing."""
        if self.first is None or self.second is None or None in (self.first.low, self.second.low):
            return None
        return self.first.low <= self.second.high and self.second.low <= self.first.high

    @property
    def verdict(self) -> str:
        """Whether it is the same measurement: ``yes``, ``no: config``, ``only in A``, ``B failed``."""
        if self.first and self.second:
            return f"no: {', '.join(self.differs)}" if self.differs else "yes"
        lacks, state = ("B", self.states[1]) if self.first else ("A", self.states[0])
        return f"only in {'A' if self.first else 'B'}" if state == "missing" else f"{lacks} {state}"


def compare(first: Results, second: Results) -> list[Compared]:
    """Every metric of every cell that either has, in the order of the first.

    Raises:
        UserError: both are the same folder.
    """
    if first.folder.resolve() == second.folder.resolve():
        raise UserError(f"{first.folder} cannot be compared with itself: name two folders of results")
    cells = [_cells(results) for results in (first, second)]
    titles = task_titles(second) | task_titles(first)
    found = []
    for key in dict.fromkeys([*cells[0], *cells[1]]):
        rows = [of.get(key, []) for of in cells]
        title = titles.get(key[1]) or task_title((rows[0] or rows[1])[0])
        found += _compared(key, title, *rows)
    return found


def differences(first: Record, second: Record) -> list[str]:
    """What decides a result and is not the same in two records, in words; empty for one fingerprint."""
    if first.fingerprint is not None and first.fingerprint == second.fingerprint:
        return []
    found = []
    if first.task.protocol != second.task.protocol:
        found.append(f"protocol {first.task.protocol} and {second.task.protocol}")
    if first.task.config_digest != second.task.config_digest:
        found.append("config")
    if first.data.digest != second.data.digest:
        found.append("data")
    if [(f.name, f.digest) for f in first.further] != [(f.name, f.digest) for f in second.further]:
        found.append("further test sets")
    if first.backbone.digest != second.backbone.digest:
        found.append("weights")
    if first.seed != second.seed:
        found.append(f"seed {first.seed} and {second.seed}")
    return found or ["fingerprint"]


def surroundings(first: Record, second: Record) -> list[str]:
    """What two records were measured with that is no part of a fingerprint, where it differs, in words."""
    one, other = first.environment, second.environment
    if one is None or other is None:
        return []
    said = [("processor", one.cpu, other.cpu), ("device", one.device, other.device)]
    said += [("Python", one.python, other.python)]
    for name in dict.fromkeys([*one.packages, *other.packages]):
        said.append((name, one.packages.get(name), other.packages.get(name)))
    said.append(("commit", (one.commit or "")[:12] or None, (other.commit or "")[:12] or None))
    return [f"{what} {a or 'unknown'} and {b or 'unknown'}" for what, a, b in said if a != b]


def sentences(compared: list[Compared]) -> list[str]:
    """How well runs of one fingerprint repeat, what is not the same measurement, what ran elsewhere."""
    both = [cell for cell in compared if cell.shown and cell.first and cell.second]
    same = [cell for cell in both if cell.largest is not None]
    said = []
    if same:
        largest: dict[str, float] = {}
        for cell in same:
            largest[cell.metric] = max(largest.get(cell.metric, 0.0), cell.largest)
        parts = ", ".join(f"{metric_title(metric)} {gap:.2g}" for metric, gap in largest.items())
        cells = len({(cell.backbone, cell.task, cell.samples) for cell in same})
        said.append(
            f"Reproducibility: {cells} cell{'s' * (cells > 1)} of the same fingerprint in both; the largest "
            f"difference between two runs of one is {parts} (in the units of the table)."
        )
    else:
        said.append("No cell has the same fingerprint in both: how well runs repeat cannot be said.")
    if apart := [cell for cell in both if cell.overlap is False and not cell.differs]:
        said.append(
            f"{len(apart)} figure{'s' * (len(apart) > 1)} of the same measurement differ by more than the "
            "intervals allow: something outside the fingerprint decides them."
        )
    if different := [cell for cell in both if cell.differs]:
        reasons = ", ".join(dict.fromkeys(reason for cell in different for reason in cell.differs))
        said.append(
            f"{len(different)} of {len(both)} figures are not the same measurement ({reasons}): their "
            "difference is no finding on the machine or the version alone."
        )
    if alone := [cell for cell in compared if cell.shown and not (cell.first and cell.second)]:
        said.append(f"{len(alone)} figures are in one folder only.")
    if elsewhere := dict.fromkeys(what for cell in both for what in cell.surroundings):
        said.append(f"No part of the fingerprint, and different: {'; '.join(elsewhere)}.")
    return said


def write(compared: list[Compared], first: Path, second: Path, out: Path | None = None) -> list[Path]:
    """Write ``compared_with_<second>.md`` (what tables show) and ``.csv`` (every metric).

    Args:
        compared: as `compare` gives it.
        first, second: the folders.
        out: where to; default ``<first>/tables``.
    """
    # two folders of one name are told apart by where they are
    name = f"compared_with_{slug(second.name)}-{digest(second.resolve().as_posix())[:8]}"
    files = [(out or first / "tables") / f"{name}.{kind}" for kind in ("md", "csv")]
    write_text(files[0], markdown(compared, first, second))
    write_text(files[1], csv_text([_line(cell) for cell in compared]))
    return files


def markdown(compared: list[Compared], first: Path, second: Path) -> str:
    """The comparison with what is to be said of it."""
    header = ["backbone", "task and metric", "A", "B", "B − A", "intervals", "same measurement"]
    lines = [
        [
            cell.backbone,
            _what(cell),
            *_sides(cell),
            _difference(cell),
            {True: "overlap", False: "apart", None: "–"}[cell.overlap],
            cell.verdict,
        ]
        for cell in compared
        if cell.shown
    ]
    parts = ["# Two folders compared", "", f"- A: {escape(str(first))}", f"- B: {escape(str(second))}", ""]
    parts += [*markdown_table(header, lines, 2), "", *(f"- {escape(said)}" for said in sentences(compared))]
    return "\n".join(parts) + "\n"


def terminal(compared: list[Compared]) -> Table:
    """The comparison as a rich table of 80 columns."""
    lines = []
    for cell in compared:
        if cell.shown:
            sides = [side.replace(" [", "\n[") for side in _sides(cell)]
            apart = "\napart" * (cell.overlap is False)
            lines.append([f"{cell.backbone}: {_what(cell)}", *sides, _difference(cell) + apart, cell.verdict])
    table = rich_table("A against B", ["", "A", "B", "B − A", "same?"], lines, 1)
    for column, wide in zip(table.columns, (22, 12, 12, 8, 10), strict=True):
        column.overflow, column.max_width = "fold", wide
    table.columns[-1].justify = "left"
    return table


def _cells(results: Results) -> dict[tuple[str, str, int | None], list[Row]]:
    found: dict[tuple[str, str, int | None], list[Row]] = {}
    for row in results.all_rows:
        found.setdefault((row.name, row.task, row.pretraining_samples), []).append(row)
    return found


def _compared(
    key: tuple[str, str, int | None], title: str, first: list[Row], second: list[Row]
) -> Iterator[Compared]:
    sides = [_runs(rows) for rows in (first, second)]
    states = tuple(
        "done" if runs else next((row.status for row in rows), "missing")
        for runs, rows in zip(sides, (first, second), strict=True)
    )
    pairs = [(sides[0][run], sides[1][run]) for run in sides[0] if run in sides[1]]
    if pairs:
        sides = [dict(enumerate(records)) for records in zip(*pairs, strict=True)]
    elif all(sides):  # no seed in common: all that there are
        pairs = [tuple(next(iter(runs.values())) for runs in sides)]
    differs = tuple(dict.fromkeys(what for pair in pairs for what in differences(*pair)))
    around = tuple(dict.fromkeys(what for pair in pairs for what in surroundings(*pair)))
    alike = [pair for pair in pairs if not differences(*pair)]
    records = [record for runs in sides for record in runs.values()]
    shown = dict.fromkeys(name for record in records for name in (record.primary, *record.also))
    for name in dict.fromkeys([*shown, *(name for record in records for name in record.metrics)]):
        found = [[r.metrics[name] for r in runs.values() if name in r.metrics] for runs in sides]
        gaps = [
            abs(b.metrics[name].value - a.metrics[name].value)
            for a, b in alike
            if name in a.metrics and name in b.metrics
        ]
        yield Compared(
            *key[:2], title, key[2], name, name in shown,
            *(mean_metric(metrics) if metrics else None for metrics in found),
            states, max(map(len, found)), differs, around, max(gaps, default=None),
        )  # fmt: skip


def _runs(rows: list[Row]) -> dict[Run, Record]:
    """What was measured, be it outdated in its folder: whether it compares is asked pair by pair."""
    done = [row.record for row in rows if row.record and row.record.status == "done"]
    return {(record.pretraining_seed or 0, record.seed): record for record in done}


def _what(cell: Compared) -> str:
    after = f", after {cell.samples:,} samples" if cell.samples else ""
    return column_title(cell.title, cell.metric, (cell.first or cell.second).unit) + after


def _sides(cell: Compared) -> list[str]:
    return [
        _figure(metric) if metric else state
        for metric, state in zip((cell.first, cell.second), cell.states, strict=True)
    ]


def _figure(metric: Metric) -> str:
    value, low, high = (figure_text(end, metric.unit) for end in (metric.value, metric.low, metric.high))
    return value if metric.low is None else f"{value} [{low}, {high}]"


def _difference(cell: Compared) -> str:
    if cell.difference is None:
        return "–"
    return "+" * (cell.difference >= 0) + figure_text(cell.difference, cell.first.unit)


def _line(cell: Compared) -> dict[str, Any]:
    ends = ("value", "low", "high")
    return {
        "backbone": cell.backbone,
        "task": cell.task,
        "samples": cell.samples,
        "metric": cell.metric,
        "unit": (cell.first or cell.second).unit,
        **{f"a_{end}": getattr(cell.first, end, None) for end in ends},
        **{f"b_{end}": getattr(cell.second, end, None) for end in ends},
        "difference": cell.difference,
        "intervals_overlap": cell.overlap,
        "same_measurement": cell.verdict,
        "runs": cell.runs,
        "largest_difference_of_a_run": cell.largest,
        "surroundings": "; ".join(cell.surroundings),
    }
