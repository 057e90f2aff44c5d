"""``prepare``: draw the embedded data, or check real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.options import RESULTS, DebugOption, ResultsOption, results_folder


def command(
    name: Annotated[
        str, typer.Argument(metavar="demo|coco|ade20k", help="Data to draw, or the kind of data to check.")
    ] = "demo",
    check: Annotated[
        Path | None,
        typer.Option("--check", metavar="PATH", help="Check the COCO or ADE20K data in this folder."),
    ] = None,
    results: ResultsOption = RESULTS,
    suite: Annotated[
        str | None,
        typer.Option("--suite", help="Suite that says how much to draw.", show_default="as the data set"),
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Draw the embedded data, label its captions and count the vocabulary. What is there is not done again.

    Real data are not downloaded: with --check their layout, counts, pictures and labels are looked at before
    anything is trained on them, and what is wrong is said in one line.

    Example: [bold]python run_suite.py prepare demo[/bold]

    Example: [bold]python run_suite.py prepare ade20k --check /data/ADEChallengeData2016[/bold]
    """
    from benchmark.data.checks import CHECKS

    if check is not None or name in CHECKS:
        return _check(name, check)

    from benchmark.running.console import Display, say
    from benchmark.running.preparation import draw, label_pairs
    from benchmark.suites.suite import load_suite
    from common.interrupt import stoppable

    loaded = load_suite(suite or name, results_folder(results))
    with stoppable(), Display() as display:
        root = draw(loaded, name, display)
        label_pairs(root / "pairs", loaded.vocabulary, display)
    say(f"{root} is ready")


def _check(name: str, path: Path | None) -> None:
    from rich.console import Console

    from benchmark.data.checks import CHECKS
    from benchmark.running.console import say
    from common.errors import UserError
    from common.names import suggest

    if name not in CHECKS:
        raise UserError(f"there is no check for {name!r}: {suggest(name, CHECKS)}")
    if path is None:
        raise UserError(f"{name} is not drawn here: name the folder you have with --check PATH")
    console = Console(stderr=True)
    with console.status(f"checking {path}"):
        report = CHECKS[name](path.expanduser())
    for warning in report.warnings:
        say(f"warning: {warning}", console)
    say(report.summary)
