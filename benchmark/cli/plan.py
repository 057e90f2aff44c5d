"""``plan``: what of a suite is done, what is left, and what it would cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.options import (
    RESULTS,
    DataOption,
    DebugOption,
    PretrainingSeedsOption,
    ResultsOption,
    SeedsOption,
    WeightsOption,
    results_folder,
)
from benchmark.suites.suite import DEFAULT_SUITE

if TYPE_CHECKING:
    from rich.console import Console

    from benchmark.running.plan import Plan

WIDTH = 80


def command(
    suite: Annotated[
        str, typer.Option("--suite", help="Name or file of a suite; see list suites.")
    ] = DEFAULT_SUITE,
    weights: WeightsOption = None,
    data: DataOption = [],  # noqa: B006
    seeds: SeedsOption = None,
    pretraining_seeds: PretrainingSeedsOption = None,
    on: Annotated[
        str, typer.Option("--on", metavar="DEVICE", help="What the cost of pre-trainings is predicted for.")
    ] = "a100_80gb",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    results: ResultsOption = RESULTS,
    debug: DebugOption = False,
) -> None:
    """Say what of a suite is done, what is left, what that waits for and what it would cost.

    Nothing is computed. Seconds of cells are those of finished cells of the same task in the results folder;
    pre-trainings are counted, and predicted for a device that need not be here.

    Example: [bold]python run_suite.py plan --suite paper --weights /data/corenet[/bold]
    """
    from dataclasses import asdict

    from rich.console import Console

    from benchmark.running import sensitivity
    from benchmark.running.plan import plan_of
    from benchmark.speed.devices import named_device
    from benchmark.suites.suite import as_last_run, load_suite
    from common.configs import parse_data

    device = named_device(on)
    places, folder = parse_data(data), results_folder(results)
    weights = weights and Path(weights).expanduser()
    loaded = load_suite(suite, folder, seeds, places, pretraining_seeds, weights)
    if seeds is pretraining_seeds is None:
        loaded = as_last_run(loaded)
    with Console(stderr=True).status("counting what is left"):
        plan = plan_of(loaded, device, lambda task: sensitivity.sentence(task, loaded.data_of(task)))
    if as_json:
        typer.echo(json.dumps(asdict(plan), indent=2))
    else:
        show(plan, Console(width=WIDTH))


def show(plan: Plan, console: Console) -> None:
    """Print a plan as tables with notes below them."""
    from rich.table import Table

    from benchmark.running.console import cell
    from common.terminal import printable

    for title, header, lines, names in _tables(plan):
        table = Table(title=cell(title), title_justify="left", box=None, pad_edge=False)
        for column, name in enumerate(header):
            table.add_column(cell(name), justify="left" if column < names else "right", overflow="fold")
        for line in lines:
            table.add_row(*map(cell, line))
        console.print(table)
        console.print()
    for note in _notes(plan):  # folded, whether there is a terminal or not
        console.print(f"- {printable(note)}", markup=False, highlight=False)


def _tables(plan: Plan) -> list[tuple[str, list[str], list[list[str]], int]]:
    """Title, header, lines of each table that has any, and how many columns are no numbers."""
    stages = [
        [
            stage.name,
            stage.state,
            _short(stage.samples),
            "–" if stage.flops is None else f"{stage.flops:.2g}",
            "–" if stage.device_hours is None else _short(stage.device_hours),
        ]
        for stage in plan.stages
    ]
    tasks = [
        [
            task.name,
            *(_count(task.states.get(state, 0)) for state in ("done", "to do", "blocked")),
            _count(task.states.get("failed", 0) + task.states.get("outdated", 0)),
            "unknown" if task.seconds is None else _short(task.seconds),
        ]
        for task in plan.tasks
    ]
    panels = [
        [panel.name, panel.title, f"{panel.done}/{panel.cells}" if panel.cells else "–"]
        for panel in plan.panels
    ]
    return [
        (f"{title} of suite {plan.suite}", header, lines, names)
        for title, header, lines, names in (
            (
                "Pre-trainings",
                ["pre-training", "state", "samples", "FLOPs", f"{plan.device} hours"],
                stages,
                2,
            ),
            ("Cells", ["task", "done", "to do", "blocked", "again", "s left"], tasks, 1),
            ("The paper's panels", ["panel", "what", "done"], panels, 2),
        )
        if lines
    ]


def _notes(plan: Plan) -> list[str]:
    """What the tables cannot hold."""
    notes = [f"{plan.done} of {plan.cells} cells are done; s left: as finished cells of the same task took."]
    notes += [f"{task.name}: {task.detectable}" for task in plan.tasks if task.detectable]
    for reason, count in plan.waits_for.items():
        notes.append(f"{count} cell{'s wait' if count > 1 else ' waits'} for {reason}")
    notes += [
        f"pre-training waits for {reason}"
        for reason in dict.fromkeys(stage.waits_for for stage in plan.stages if stage.waits_for)
        if reason not in plan.waits_for
    ]
    if assumed := sorted({stage.classes for stage in plan.stages if stage.assumed}):
        counts = " and ".join(f"{count:,}" for count in assumed)
        notes.append(f"No vocabulary is counted yet: pre-trainings are predicted with {counts} classes.")
    if any(stage.device_hours is not None for stage in plan.stages):
        notes.append(
            f"FLOPs are counted; hours are predicted for one {plan.device} alone, without communication "
            "between devices and without reading data."
        )
    if any(task.states.get("failed") or task.states.get("outdated") for task in plan.tasks):
        notes.append(
            "again: cells that failed, which --retry-failed tries again, and cells whose config or protocol "
            "has changed since."
        )
    for panel in plan.panels:
        told = [f"made by {command}" for command in panel.commands]
        told += [f"missing: {missing}" for missing in panel.missing]
        if told := [*told, *panel.notes]:
            notes.append(f"{panel.name}: {'; '.join(told)}.")
    return notes


def _count(number: int) -> str:
    return str(number) if number else "–"


def _short(number: float) -> str:
    """Three significant digits: ``13.1 G``, ``0.0213``."""
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.3g}"
