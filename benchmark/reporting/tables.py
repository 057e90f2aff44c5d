"""The tables of a suite: on the terminal, as Markdown, and as CSV for whoever computes further."""

from __future__ import annotations

import csv
import html
import io
import os
import re
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from benchmark.records.schema import Metric
from benchmark.reporting.results import Figure, Results, seeds_text
from common.files import write_text


def write(results: Results) -> list[Path]:
    """Write ``summary.md``, ``summary.csv`` (per backbone) and ``cells.csv`` (per metric of a cell)."""
    folder = results.folder / "tables"
    contents = {
        "summary.md": markdown(results),
        "summary.csv": summary_csv(results),
        "cells.csv": cells_csv(results),
    }
    for name, text in contents.items():
        write_text(folder / name, text)
    return [folder / name for name in contents]


def terminal(results: Results) -> Table:
    """The summary as a rich table."""
    header, lines = _layout(results)
    table = Table(title=f"Suite {results.suite}", title_justify="left")
    for column, name in enumerate(header):
        table.add_column(Text(name), justify="left" if column < 2 else "right")
    for line in lines:
        table.add_row(*(Text(cell) for cell in line))
    return table


def markdown(results: Results) -> str:
    """The summary with its notes, in GitHub's Markdown."""
    header, lines = _layout(results)
    rows = ["| " + " | ".join(escape(cell) for cell in line) + " |" for line in (header, *lines)]
    rows.insert(1, "|" + "|".join([" --- "] * 2 + [" ---: "] * (len(header) - 2)) + "|")
    notes = [f"- {escape(note)}" for note in results.all_notes()]
    return "\n".join([f"# Suite {escape(results.suite)}", "", *rows, "", *notes]).rstrip() + "\n"


def summary_csv(results: Results) -> str:
    """One line per backbone, numbers in full precision; of each task figure, interval and state."""
    lines = []
    for backbone, spec in results.backbones.items():
        line: dict[str, Any] = {
            "backbone": backbone,
            "spec": spec,
            "objective": results.description(backbone).get("objective"),
            **{f"pretraining_{key}": value for key, value in results.cost(backbone).items()},
        }
        for task, name, key in results.columns():
            figure = results.figure(backbone, task, name)
            metric = figure.metric
            line |= {
                f"{key}_metric": figure.name,
                f"{key}_value": metric.value if metric else None,
                f"{key}_low": metric.low if metric else None,
                f"{key}_high": metric.high if metric else None,
                f"{key}_bias": metric.bias if metric else None,
                f"{key}_sd": figure.spread.total,
                f"{key}_sd_pretraining": figure.spread.pretraining,
                f"{key}_sd_transfer": figure.spread.transfer,
                f"{task}_chosen": chosen_text(figure.chosen),
                f"{task}_seeds": figure.seeds,
                f"{task}_status": figure.status,
            }
        lines.append(line)
    return csv_text(lines)


def cells_csv(results: Results) -> str:
    """One line per metric of every cell, with the command that computes it and the record it is from."""
    lines = []
    for row in results.rows:
        record = row.record
        base = {
            "backbone": row.backbone,
            "spec": row.spec,
            "task": row.task,
            "pretraining_seed": row.pretraining_seed,
            "seed": row.seed,
            "status": row.status,
        }
        about = {
            "chosen": chosen_text(record.chosen) if record else None,
            "seconds": record.cost.seconds if record and record.cost else None,
            "peak_memory_bytes": record.cost.peak_memory_bytes if record and record.cost else None,
            "protocol": record.task.protocol if record else None,
            "fingerprint": record.fingerprint if record else None,
            "error": record.error if record else None,
            "command": record.command if record else None,
            "record": os.path.relpath(row.folder / "record.json", results.folder),
        }
        metrics = record.metrics if record and record.metrics else {None: None}
        for name, metric in metrics.items():
            values = metric.model_dump() if metric else dict.fromkeys(Metric.model_fields)
            lines.append({**base, "metric": name, **values, **about})
    return csv_text(lines)


def figure_text(figure: Figure) -> str:
    """A figure as a table shows it: ``66.1 ± 0.8 [64.0, 68.2]``, or what there is instead."""
    if figure.metric is None:
        return figure.status.upper() if figure.status == "failed" else figure.status
    text = f"{figure.metric.value:.1f}"
    if figure.spread.total is not None:
        text += f" ± {figure.spread.total:.1f}"
    if figure.metric.low is not None:
        text += f" [{figure.metric.low:.1f}, {figure.metric.high:.1f}]"
    return text if figure.status == "done" else f"{text} ({figure.status} in part)"


def chosen_text(chosen: dict[str, Any]) -> str:
    """What was chosen on validation data: ``l2=0.001``."""
    return ", ".join(
        f"{key}={value:.2g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in chosen.items()
    )


def escape(text: str) -> str:
    """Text as Markdown shows it unchanged, inside a table cell too."""
    text = " ".join(str(text).split())
    return re.sub(r"([\\`*_\[\]|~#])", r"\\\1", html.escape(text, quote=False))


def _layout(results: Results) -> tuple[list[str], list[list[str]]]:
    """Header and lines of the summary, as text."""
    header, columns = ["backbone", "objective"], []
    for task, name, key in results.columns():
        figures = {backbone: results.figure(backbone, task, name) for backbone in results.backbones}
        shows_choice = key == task and any(figure.chosen for figure in figures.values())
        columns.append((figures, shows_choice))
        header += [_column_name(task, figures), "chosen"][: 1 + shows_choice]
    header += [f"pre-training {name}" for name in ("samples", "FLOPs", "CPU s", "wall s", "memory")]
    lines = []
    for backbone in results.backbones:
        line = [backbone, results.description(backbone).get("objective") or "–"]
        for figures, shows_choice in columns:
            figure = figures[backbone]
            line += [figure_text(figure), chosen_text(figure.chosen) or "–"][: 1 + shows_choice]
        cost = results.cost(backbone)
        line += [
            _number(cost["samples"], ",.0f"),
            _number(cost["flops"], ".2e"),
            _number(cost["cpu_seconds"], ",.0f"),
            _number(cost["seconds"], ",.0f"),
            _number(cost["peak_memory_bytes"], ".1f", 2**30, " GiB"),
        ]
        lines.append(line)
    return header, lines


def _column_name(task: str, figures: dict[str, Figure]) -> str:
    """What a column shows, of how many seeds."""
    done = [figure for figure in figures.values() if figure.metric]
    if not done:
        return task
    name = " ".join(filter(None, (task, done[0].name, done[0].unit, "[95 %]")))
    return f"{name}, {seeds_text(done)}"


def _number(value: float | None, form: str, unit: float = 1, suffix: str = "") -> str:
    return "–" if value is None else format(value / unit, form) + suffix


def csv_text(lines: list[dict[str, Any]]) -> str:
    """Lines of the same keys as CSV with a header; there must be one at least."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()
