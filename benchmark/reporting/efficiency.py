"""Data-efficiency: what a task reaches with shares of its training data (the paper's figures 5 and 7)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from benchmark.records.schema import Metric, Record
from benchmark.reporting.canvas import STYLE, new_canvas, save
from benchmark.reporting.names import with_unit
from benchmark.reporting.results import SHARE, Results, Row
from benchmark.reporting.tables import csv_text, markdown_table, rich_table
from common.configs import value_text
from common.files import write_text
from common.names import slug

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas
    from rich.table import Table

DRAW, START = "draw", "init"
"""Axes: which share it is, and how the class layer starts."""

Run = tuple[int | None, int, Any]
"""Pre-training seed, seed and draw: what is repeated."""


@dataclass(frozen=True)
class Line:
    """A backbone on a task, at one point of all axes but share and draw.

    Attributes:
        task: its name.
        backbone: its name in the suite.
        axes: that point.
        metric: the task's primary one.
        points: share of the training data, rising -> run -> record.
    """

    task: str
    backbone: str
    axes: dict[str, Any]
    metric: str
    points: dict[float, dict[Run, Record]]

    @property
    def label(self) -> str:
        return ", ".join([self.backbone, *(f"{axis}={value_text(v)}" for axis, v in self.axes.items())])

    def values(self, share: float) -> list[float]:
        """The figures of all runs with a share of the data."""
        return [record.metrics[self.metric].value for record in self.points[share].values()]

    @property
    def sample(self) -> Metric:
        """Any of the metrics: unit and direction are the same in all."""
        return next(iter(next(iter(self.points.values())).values())).metrics[self.metric]


def lines_of(results: Results) -> dict[str, list[Line]]:
    """Task -> its lines, in the suite's order."""
    found: dict[str, dict[Any, Line]] = {}
    for row in results.shares:
        if row.status != "done":
            continue
        axes = {axis: value for axis, value in row.axes.items() if axis not in (SHARE, DRAW)}
        key = row.name, tuple(sorted(axes.items()))
        line = Line(row.task_name, row.name, axes, row.record.primary, {})
        line = found.setdefault(row.task_name, {}).setdefault(key, line)
        if line.metric in row.record.metrics:
            run = row.pretraining_seed, row.seed, row.axes.get(DRAW, 0)
            line.points.setdefault(float(row.axes[SHARE]), {})[run] = row.record
    for lines in found.values():
        for key, line in lines.items():
            lines[key] = Line(
                line.task, line.backbone, line.axes, line.metric, dict(sorted(line.points.items()))
            )
    return {task: [line for line in lines.values() if line.points] for task, lines in found.items()}


def write(results: Results) -> list[Path]:
    """Write ``tables/efficiency.{csv,md}`` and ``plots/efficiency_<task>.png``, where there is anything."""
    if not (found := lines_of(results)):
        return []
    import matplotlib as mpl

    from benchmark.reporting.plots import looks_of

    text = []
    for task, lines in found.items():
        header, cells = layout(lines)
        text += [f"# {task} by share of the training data", "", *markdown_table(header, cells, 1), ""]
    notes = [f"- {sentence}" for sentence in sentences(results)]
    contents = {
        "efficiency.csv": csv_text(points(results)),
        "efficiency.md": "\n".join([*text, *notes]) + "\n",
    }
    files = [results.folder / "tables" / name for name in contents]
    for path, content in zip(files, contents.values(), strict=True):
        write_text(path, content)
    looks = looks_of(results)
    with mpl.rc_context(STYLE):
        for task, lines in found.items():
            canvas = draw(task, lines, lambda name: looks[name].colour)
            files += save(canvas, results.folder / "plots" / f"efficiency_{slug(task)}.png")
    return files


def terminal(results: Results) -> list[Table]:
    """A rich table per task."""
    return [
        rich_table(f"{task} by share of the training data", *layout(lines), names=1)
        for task, lines in lines_of(results).items()
    ]


def layout(lines: list[Line]) -> tuple[list[str], list[list[str]]]:
    """Header and lines of one task's table: mean ± standard deviation over runs, and how many these were."""
    shares = sorted({share for line in lines for share in line.points})
    header = [with_unit(lines[0].metric, lines[0].sample.unit), *(f"{100 * share:g} %" for share in shares)]
    return header, [[line.label, *(_cell(line, share) for share in shares)] for line in lines]


def _cell(line: Line, share: float) -> str:
    if share not in line.points:
        return "–"
    values = line.values(share)
    spread = f" ± {stdev(values):.1f} ({len(values)})" if len(values) > 1 else " (1)"
    return f"{fmean(values):.1f}{spread}"


def points(results: Results) -> list[dict[str, Any]]:
    """A line of the csv per cell."""
    return [
        {
            "task": row.task_name,
            "backbone": row.name,
            "pretraining_seed": row.pretraining_seed,
            "seed": row.seed,
            **{axis: row.axes.get(axis) for axis in _axes(results.shares)},
            "metric": row.record.primary,
            **{key: getattr(row.record.headline, key) for key in ("value", "low", "high", "unit")},
            "command": row.record.command,
            "record": os.path.relpath(row.folder / "record.json", results.folder),
        }
        for row in results.shares
        if row.status == "done"
    ]


def _axes(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(axis for row in rows for axis in row.axes))


def sentences(results: Results) -> list[str]:
    """What Transfer Init is worth at each share, paired by run: same images, same seeds."""
    found = []
    for task, lines in lines_of(results).items():
        for line in lines:
            if line.axes.get(START) != "transfer":
                continue
            axes = {axis: value for axis, value in line.axes.items() if axis != START}
            other = next((o for o in lines if (o.backbone, o.axes) in _without(line.backbone, axes)), None)
            if other is None:
                continue
            parts = []
            for share, records in line.points.items():
                runs = records.keys() & other.points.get(share, {}).keys()
                gains = [
                    records[run].metrics[line.metric].value
                    - other.points[share][run].metrics[line.metric].value
                    for run in sorted(runs, key=str)
                ]
                if gains:
                    spread = f" ± {stdev(gains):.1f}" if len(gains) > 1 else ""
                    parts.append(f"{fmean(gains):+.1f}{spread} at {100 * share:g} % ({len(gains)})")
            if parts:
                found.append(
                    f"{task}, {line.backbone}: Transfer Init against random initialisation, {line.metric}: "
                    f"{', '.join(parts)}. Mean difference ± standard deviation over so many pairs of runs on "
                    "the same images; not tested."
                )
    return found


def _without(backbone: str, axes: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """A line that starts at random, by name or by default."""
    return [(backbone, axes), (backbone, {**axes, START: "random"})]


def draw(task: str, lines: list[Line], colour: Callable[[str], str]) -> Canvas:
    """A line per `Line`: means, and bands from the worst run to the best; dashed with Transfer Init."""
    canvas, axes = new_canvas(7.4, 4.8)
    several = False
    for line in lines:
        shares = [100 * share for share in line.points]
        values = [line.values(share) for share in line.points]
        style = "--" if line.axes.get(START) == "transfer" else "-"
        if max(map(len, values)) > 1:
            several = True
            axes.fill_between(
                shares,
                list(map(min, values)),
                list(map(max, values)),
                color=colour(line.backbone),
                alpha=0.18,
                lw=0,
            )
        axes.plot(
            shares,
            [fmean(v) for v in values],
            f"o{style}",
            color=colour(line.backbone),
            label=line.label,
            ms=5,
        )
    axes.set_xscale("log")
    ticks = sorted({100 * share for line in lines for share in line.points})
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("training images used, % of each class")
    axes.set_ylabel(with_unit(lines[0].metric, lines[0].sample.unit, ", "))
    axes.set_ylim(bottom=0)
    axes.legend()
    runs = (
        "bands: from the worst run to the best" if several else "one run each: no order of lines is a finding"
    )
    canvas.suptitle(
        f"{task.replace('_', ' ').capitalize()} by share of the training data\n{runs}",
        x=0.01,
        ha="left",
        fontsize=11,
    )
    return canvas
