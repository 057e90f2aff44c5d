"""``doctor``: what is wrong with this installation, and how to repair it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.options import RESULTS, DataOption, DebugOption, ResultsOption, results_folder

if TYPE_CHECKING:
    from benchmark.doctor import Finding

_STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}


def command(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list instead of the table.")] = False,
    results: ResultsOption = RESULTS,
    data: DataOption = [],  # noqa: B006
    patience: Annotated[
        float | None,
        typer.Option(
            "--patience",
            min=0.0,
            help="Seconds without a sign of life before an import counts as hanging.",
            show_default="30",
        ),
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Check Python, packages, operators, CPU, GPU, memory, disk, WordNet and data, in ten seconds.

    Whatever is not right comes with the one line that repairs it. Exit code 1 if anything is an error.

    Example: [bold]python run_suite.py doctor --data coco=/data/coco[/bold]
    """
    from rich.console import Console

    from benchmark.doctor import PATIENCE, examine
    from common.configs import parse_data
    from common.interrupt import stoppable

    folders = parse_data(data)
    with stoppable(), Console(stderr=True).status("looking: the imports of PyTorch take some seconds"):
        found = examine(results_folder(results), folders, PATIENCE if patience is None else patience)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in found], indent=2))
    else:
        show(found)
    if any(finding.status == "error" for finding in found):
        raise typer.Exit(1)


def show(found: list[Finding]) -> None:
    """Print a line for every finding, its remedy below it."""
    from rich.table import Table

    from benchmark.running.console import cell, stdout

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in found:
        style = _STYLES[finding.status]
        table.add_row(cell(finding.status, style), cell(finding.name), cell(finding.message))
        if finding.remedy:
            table.add_row("", "", cell(f"→ {finding.remedy}", "bold"))
    console = stdout()
    console.print(table)
    counts = Counter(finding.status for finding in found)
    console.print(", ".join(f"{status}: {counts[status]}" for status in _STYLES), highlight=False)
