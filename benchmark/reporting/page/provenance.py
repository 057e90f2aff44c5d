"""For every number the run it comes from: its command, config, seed, data, versions and hardware."""

from __future__ import annotations

import os
from collections.abc import Iterator

from benchmark.reporting.names import metric_title, task_titles
from benchmark.reporting.page.blocks import Detail, Grid
from benchmark.reporting.results import Results, Row
from common.names import slug


def anchor_of(results: Results, name: str, task: str) -> str:
    """Id of the first finished run of a backbone on a task; empty where there is none."""
    for row in results.rows:
        if row.name == name and row.task == task and row.status == "done":
            return _anchor(results, row)
    return ""


def cells_of(results: Results) -> list[Detail]:
    """Every run that left a record."""
    titles = task_titles(results)
    return [
        Detail(
            f"{row.name}, {titles[row.task]}, {row.repetition}"
            + (f" ({row.status})" if row.status != "done" else ""),
            _anchor(results, row),
            list(_pairs(results, row)),
            row.record.command,
        )
        for row in results.all_rows
        if row.record
    ]


def pretrainings_of(results: Results) -> list[Grid]:
    """What each pre-training was and cost."""
    rows = []
    for name in results.backbones:
        card, cost = results.card(name), results.cost(name)
        if cost["samples"]:
            numbers = (("samples", ",.0f"), ("flops", ".2e"), ("cpu_seconds", ",.0f"), ("seconds", ",.0f"))
            texts = ["–" if cost[key] is None else format(cost[key], form) for key, form in numbers]
            rows.append([name, card.objective or "–", *texts])
    header = ["backbone", "objective", "samples", "FLOPs", "CPU seconds", "wall seconds"]
    return [Grid.of_text("Cost of pre-training, mean over seeds", header, rows, 2)] if rows else []


def _anchor(results: Results, row: Row) -> str:
    return "run-" + slug(os.path.relpath(row.folder, results.folder).replace(os.sep, "-"))


def _pairs(results: Results, row: Row) -> Iterator[tuple[str, str]]:
    record = row.record
    for name, metric in record.metrics.items():
        text = f"{metric.value:.6g} {'%' if metric.unit == 'percent' else metric.unit}"
        if metric.low is not None:
            text += f" [{metric.low:.6g}, {metric.high:.6g}]"
            text += f", {metric.method}, for the {metric.truth}" if metric.method else ""
        if metric.bias is not None:
            text += f"; estimated bias {metric.bias:+.3g}"
        if metric.coverage is not None:
            text += f"; such intervals held the truth in {metric.coverage:.0f} % of simulated worlds"
        yield metric_title(name), text
    if record.error:
        yield "error", record.error.strip()
    if record.chosen:
        yield "chosen on validation data", ", ".join(f"{key}={value}" for key, value in record.chosen.items())
    # where results lie on this machine is nobody's business
    spec = record.backbone.spec.replace(f"{results.folder.parent.absolute()}{os.sep}", "")
    yield "backbone", f"{spec} (weights {_short(record.backbone.digest)})"
    yield "config", f"{record.task.config} (entries that decide: {_short(record.task.config_digest)})"
    yield "data", f"{record.data.name} (content {_short(record.data.digest)})"
    yield "protocol", str(record.task.protocol)
    yield "seed", row.repetition
    yield "fingerprint", record.fingerprint or "–"
    if record.cost:
        yield (
            "took",
            f"{record.cost.seconds:,.0f} s"
            + (f", {record.cost.peak_memory_bytes / 2**30:.1f} GiB" if record.cost.peak_memory_bytes else ""),
        )
    if found := record.environment:
        yield "hardware", "; ".join(filter(None, (found.device, found.cpu, found.platform)))
        packages = {"Python": found.python, **found.packages}
        yield "versions", ", ".join(f"{name} {version}" for name, version in packages.items())
        yield "commit", found.commit or "unknown"
    yield "finished", record.finished
    yield "record", os.path.relpath(row.folder / "record.json", results.folder)


def _short(digest: str | None) -> str:
    return digest[:16] if digest else "unknown"
