"""``prepare``: make or check the data."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmark.cli.options import RESULTS, DebugOption, ResultsOption, results_folder


def command(
    name: Annotated[str, typer.Argument(help="Data set to draw, for instance demo.")] = "demo",
    results: ResultsOption = RESULTS,
    suite: Annotated[
        str | None,
        typer.Option("--suite", help="Suite that says how much to draw.", show_default="as the data set"),
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Draw the embedded data, label its captions and count the vocabulary. What is there is not done again.

    Example: [bold]python run_suite.py prepare demo[/bold]
    """
    from rich.console import Console

    from benchmark.console import Display
    from benchmark.interrupt import stoppable
    from benchmark.preparation import draw, label_pairs
    from benchmark.suite import load_suite

    loaded = load_suite(suite or name, results_folder(results))
    with stoppable(), Display() as display:
        root = draw(loaded, name, display)
        label_pairs(root / "pairs", loaded.vocabulary, display)
    Console().print(f"{root} is ready", markup=False, highlight=False, soft_wrap=True)
