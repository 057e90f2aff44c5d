"""The tables of a suite: on the terminal, as Markdown, LaTeX, and as CSV for whoever computes further."""

from __future__ import annotations

import csv
import html
import io
import os
import re
import shlex
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.table import Table

from benchmark.reporting import latex
from benchmark.reporting.names import column_title, figure_text, task_titles
from benchmark.reporting.notes import notes_of
from benchmark.reporting.results import Results, Row, Score, seeds_text
from benchmark.running.console import cell as shown
from common.files import write_text
from common.terminal import printable

_METRIC = ("value", "low", "high", "n", "unit", "method", "truth", "bias", "coverage")
"""What cells.csv tells of a metric."""
_COST = ("device_hours", "images", "images_per_second", "peak_gpu_memory_bytes")
"""What it tells of a cell's cost beside seconds and memory, where any cell knows it."""


def write(results: Results) -> list[Path]:
    """Write ``summary.{md,tex}``, ``summary.csv`` (per backbone) and ``cells.csv`` (per metric of a cell)."""
    folder = results.folder / "tables"
    command = f"python run_suite.py report --suite {shlex.quote(results.suite)}"
    contents = {
        "summary.md": markdown(results),
        "summary.tex": latex.tabular(*layout(results), comment=f"{command}: {caption(results)}"),
        "summary.csv": summary_csv(results),
        "cells.csv": cells_csv(results),
    }
    for name, text in contents.items():
        write_text(folder / name, text)
    return [folder / name for name in contents]


def terminal(results: Results, width: int = 80) -> Group:
    """The summary as rich tables: a line per task and metric, a column per backbone.

    Where that is wider than the terminal, intervals get lines of their own, and after that backbones share
    themselves out to tables below each other.

    Args:
        width: of the terminal, in columns.
    """
    names, told = list(results.backbones), _told(results)
    title = f"Suite {results.suite}: {caption(results)}"
    ways = [(None, len(names)), (30, len(names)), *((16, most) for most in range(len(names), 0, -1))]
    for folded, most in ways:  # how wide what is told may be, backbones side by side
        parts = []
        for start in range(0, len(names), most):
            part = slice(start, start + most)
            lines = [[what, *cells[part]] for what, cells in told.items()]
            if folded:
                lines = [[cell.replace(" [", "\n[") for cell in line] for line in lines]
            parts.append(rich_table(title if start == 0 else "", ["", *names[part]], lines, 1))
            for number, column in enumerate(parts[-1].columns if folded else ()):
                column.overflow, column.max_width = "fold", 18 if number else folded
        if max(Console(width=10_000).measure(part).maximum for part in parts) <= width:
            break
    return Group(*parts)


def rich_table(title: str, header: list[str], lines: list[list[str]], names: int) -> Table:
    """Cells as a table for the terminal.

    Args:
        title: above it.
        header, lines: cells, as text.
        names: how many columns from the left are no numbers.
    """
    table = Table(title=shown(title) if title else None, title_justify="left")
    for column, name in enumerate(header):
        table.add_column(shown(name), justify="left" if column < names else "right")
    for line in lines:
        table.add_row(*map(shown, line))
    return table


def markdown_table(header: list[str], lines: list[list[str]], names: int | None = None) -> list[str]:
    """Cells as the lines of a table in GitHub's Markdown; `names` as in `rich_table`, default all."""
    rows = ["| " + " | ".join(escape(cell) for cell in line) + " |" for line in (header, *lines)]
    left = len(header) if names is None else names
    rows.insert(1, "|" + "|".join([" --- "] * left + [" ---: "] * (len(header) - left)) + "|")
    return rows


def markdown(results: Results) -> str:
    """The summary with its notes, in GitHub's Markdown."""
    rows = markdown_table(*layout(results))
    notes = [f"- {escape(note)}" for note in notes_of(results)]
    head = [f"# Suite {escape(results.suite)}", "", f"{escape(caption(results)).capitalize()}.", ""]
    return "\n".join([*head, *rows, "", *notes]).rstrip() + "\n"


def summary_csv(results: Results) -> str:
    """One line per backbone, numbers in full precision; of each task score, interval and state."""
    lines = []
    for name, backbone in results.backbones.items():
        line: dict[str, Any] = {
            "backbone": name,
            "spec": backbone,
            "objective": results.card(name).objective,
            **{f"pretraining_{key}": value for key, value in results.cost(name).items()},
        }
        for task, metric_name, key in results.columns():
            score = results.score(name, task, metric_name)
            metric = score.metric
            line |= {
                f"{key}_metric": score.name,
                f"{key}_value": metric.value if metric else None,
                f"{key}_low": metric.low if metric else None,
                f"{key}_high": metric.high if metric else None,
                f"{key}_bias": metric.bias if metric else None,
                f"{key}_sd": score.spread.total,
                f"{key}_sd_pretraining": score.spread.pretraining,
                f"{key}_sd_transfer": score.spread.transfer,
                f"{task}_chosen": chosen_text(score.chosen),
                f"{task}_seeds": score.seeds,
                f"{task}_status": score.status,
            }
        lines.append(line)
    return csv_text(lines)


def cells_csv(results: Results) -> str:
    """One line per metric of every cell, with the command that computes it and the record it is from.

    Axes have a column each, where there are any, and so has what is known of costs.
    """
    lines = []
    rows = results.rows + results.shares
    axes = dict.fromkeys(axis for row in rows for axis in row.axes)
    known = [name for name in _COST if any(_cost(row, name) is not None for row in rows)]
    for row in rows:
        record = row.record
        base = {
            "backbone": row.name,
            "spec": row.backbone,
            "task": row.task,
            **{axis: row.axes.get(axis) for axis in axes},
            "pretraining_seed": row.pretraining_seed,
            "seed": row.seed,
            "status": row.status,
        }
        about = {
            "chosen": chosen_text(record.chosen) if record else None,
            "seconds": record.cost.seconds if record and record.cost else None,
            "peak_memory_bytes": record.cost.peak_memory_bytes if record and record.cost else None,
            **{name: _cost(row, name) for name in known},
            "protocol": record.task.protocol if record else None,
            "fingerprint": record.fingerprint if record else None,
            "error": record.error if record else None,
            "command": record.command if record else None,
            "record": os.path.relpath(row.folder / "record.json", results.folder),
        }
        metrics = record.metrics if record and record.metrics else {None: None}
        for name, metric in metrics.items():
            values = {key: getattr(metric, key, None) for key in _METRIC}
            lines.append({**base, "metric": name, **values, **about})
    return csv_text(lines)


def score_text(score: Score) -> str:
    """A score as a table shows it: ``66.1 ± 0.8 [64.0, 68.2]``, or what there is instead."""
    if score.metric is None:
        return score.status.upper() if score.status == "failed" else score.status
    metric = score.metric
    value, spread, low, high = (
        figure_text(number, metric.unit)
        for number in (metric.value, score.spread.total, metric.low, metric.high)
    )
    text = value
    if score.spread.total is not None:
        text += f" ± {spread}"
    if metric.low is not None:
        text += f" [{low}, {high}]"
    return text if score.status == "done" else f"{text} ({score.status} in part)"


def chosen_text(chosen: dict[str, Any]) -> str:
    """What was chosen on validation data: ``l2=0.001``."""
    return ", ".join(
        f"{key}={value:.2g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in chosen.items()
    )


def escape(text: str) -> str:
    """Text as Markdown shows it unchanged, inside a table cell too."""
    text = " ".join(printable(text).split())
    return re.sub(r"([\\`*_\[\]|~#])", r"\\\1", html.escape(text, quote=False))


def _cost(row: Row, name: str) -> float | None:
    return getattr(row.record.cost, name) if row.record and row.record.cost else None


def caption(results: Results) -> str:
    """What the figures of the summary are: ``figures ± sd [95 % intervals], 3 seeds`` (sd: over these)."""
    scores = _done(results)
    parts = ["figures" + " ± sd" * any(s.spread.total is not None for s in scores)]
    parts[0] += " [95 % intervals]" * any(score.metric.low is not None for score in scores)
    return ", ".join([*parts, seeds_text(scores)] if scores else parts)


def layout(results: Results) -> tuple[list[str], list[list[str]], int]:
    """Header and lines of the summary, as text, and how many columns from the left are no numbers.

    A line per backbone; where there is more to tell of each than there are backbones, a column per backbone.
    """
    names, told = list(results.backbones), _told(results)
    if len(told) > len(names):
        return ["backbone", *names], [[what, *cells] for what, cells in told.items()], 1
    lines = [[name, *cells] for name, *cells in zip(names, *told.values(), strict=True)]
    return ["backbone", *told], lines, 2


_PRETRAINING = (
    ("samples", "samples", round),
    ("FLOPs", "flops", float),
    ("CPU s", "cpu_seconds", round),
    ("wall s", "seconds", round),
    ("memory, GiB", "peak_memory_bytes", lambda size: size / 2**30),
)
"""What is told of a pre-training's cost: in words, a key of `Results.cost`, the figure of its value."""


def _told(results: Results) -> dict[str, list[str]]:
    """What the summary tells, in words -> of every backbone."""
    names, titles = list(results.backbones), task_titles(results)
    alike = len({score.seeds for score in _done(results)}) < 2
    told = {"objective": [results.card(name).objective or "–" for name in names]}
    for task, metric, key in results.columns():
        scores = [results.score(name, task, metric) for name in names]
        title = titles[task]
        if done := [score for score in scores if score.metric]:
            title = column_title(title, done[0].name, done[0].metric.unit)
            title += "" if alike else f", {seeds_text(done)}"
        told[title] = list(map(score_text, scores))
        if key == task and any(score.chosen for score in scores):
            told[f"{titles[task]}, chosen"] = [chosen_text(score.chosen) or "–" for score in scores]
    costs = [results.cost(name) for name in names]
    for what, key, form in _PRETRAINING:
        told[f"pre-training {what}"] = [
            figure_text(None if cost[key] is None else form(cost[key])) for cost in costs
        ]
    return told


def _done(results: Results) -> list[Score]:
    """Every score of the summary that has a figure."""
    scores = [
        results.score(name, task, metric)
        for name in results.backbones
        for task, metric, _ in results.columns()
    ]
    return [score for score in scores if score.metric]


def csv_text(lines: list[dict[str, Any]]) -> str:
    """Lines of the same keys as CSV with a header; there must be one at least."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _no_formula(value) for key, value in line.items()} for line in lines)
    return text.getvalue()


def _no_formula(value: Any) -> Any:
    """Text that a spreadsheet would compute, with the apostrophe that keeps it text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in _FORMULAS else value


_FORMULAS = frozenset("=+-@\t\r")
