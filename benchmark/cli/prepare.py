"""``prepare``: draw the data of a suite, or check real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.options import RESULTS, DebugOption, ResultsOption, results_folder
from benchmark.suites.suite import DEFAULT_SUITE


def command(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Data that a suite draws; with --check: coco, ade20k, imagenet1k, pairs ..."
        ),
    ] = DEFAULT_SUITE,
    check: Annotated[
        Path | None,
        typer.Option("--check", metavar="PATH", help="Check the data in this folder instead of drawing any."),
    ] = None,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="With --check: decode all pictures, not some. May take hours.")
    ] = False,
    results: ResultsOption = RESULTS,
    suite: Annotated[
        str | None,
        typer.Option("--suite", help="Suite that says how to draw.", show_default="the one that draws NAME"),
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Draw the data of a suite, label its captions and count the vocabulary. What is there is not done again.

    Real data are not downloaded: with --check their layout, counts, pictures and labels are looked at before
    anything is trained on them, and what is wrong is said in one line.

    Example: [bold]python run_suite.py prepare demo[/bold]

    Example: [bold]python run_suite.py prepare ade20k --check /data/ADEChallengeData2016[/bold]
    """
    from benchmark.data import layout_of
    from common.errors import UserError

    if check is not None:
        return _check(name, check, thorough)
    if thorough:
        raise UserError("--thorough says how data are checked: name their folder with --check PATH")

    from benchmark.running.console import Display, say
    from benchmark.running.preparation import draw, label_pairs
    from benchmark.suites.shipped import drawing_suite
    from benchmark.suites.suite import load_suite
    from common.interrupt import stoppable

    if suite is None and layout_of(name) is not None:
        raise UserError(f"{name} is not drawn here: name the folder you have with --check PATH")
    loaded = load_suite(suite or drawing_suite(name), results_folder(results))
    with stoppable(), Display() as display:
        root = draw(loaded, name, display)
        pairs = loaded.data.get("pairs")
        if pairs is not None and pairs.is_relative_to(root):
            label_pairs(pairs, loaded.vocabulary, display)
    say(f"{root} is ready")


def _check(name: str, path: Path, thorough: bool) -> None:
    from rich.console import Console

    from benchmark.data import load_layout
    from benchmark.running.console import say

    layout = load_layout(name)
    console = Console(stderr=True)
    with console.status(f"checking {path}"):
        # a layout of somebody else's may know one way of checking only
        report = layout.check(path.expanduser(), **({"thorough": True} if thorough else {}))
    for warning in report.warnings:
        say(f"warning: {warning}", console)
    say(report.summary)
