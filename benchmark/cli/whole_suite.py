"""No command: the whole suite, then its table."""

from __future__ import annotations

from pathlib import Path

import typer

from benchmark.cli.options import results_folder


def command(
    suite_name: str,
    results: Path,
    seeds: int | None,
    pretraining_seeds: int | None,
    data: list[str],
    retry_failed: bool,
    jobs: int | None,
    weights: Path | None = None,
) -> None:
    """Run a suite and show its table.

    Raises:
        typer.Exit: with code 1 when a cell failed.
    """
    from benchmark.cli.report import show
    from benchmark.reporting.results import of_suite
    from benchmark.running.console import Display
    from benchmark.running.launchers.local import LocalLauncher, default_slots
    from benchmark.running.pipeline import run_suite
    from benchmark.suites.suite import load_suite, remember_repeats
    from common.configs import parse_data
    from common.interrupt import stoppable
    from common.terminal import printable

    suite = load_suite(
        suite_name, results_folder(results), seeds, parse_data(data), pretraining_seeds, weights
    )
    remember_repeats(suite)
    with stoppable(), Display() as display:
        records = run_suite(suite, LocalLauncher(jobs or default_slots()), display, retry_failed)
    found = of_suite(suite, None if suite.partial else records)
    show(found)
    if left := len(found.all_rows) - len(records):
        plan = f"python run_suite.py plan --suite {suite_name}"
        typer.echo(printable(f"{left} cells wait for data or weights: {plan} says for which"), err=True)
    if found.failed > left:
        typer.echo("some cells failed; try them again with --retry-failed", err=True)
        raise typer.Exit(1)
