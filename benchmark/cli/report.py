"""``report``: rebuild tables and plots from the records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.options import (
    RESULTS,
    DebugOption,
    PretrainingSeedsOption,
    ResultsOption,
    SeedsOption,
    results_folder,
)
from benchmark.suites.suite import DEFAULT_SUITE

if TYPE_CHECKING:
    from benchmark.reporting.results import Results


def command(
    suite: Annotated[
        str, typer.Option("--suite", help="Name or file of a suite, or a folder of results.")
    ] = DEFAULT_SUITE,
    results: ResultsOption = RESULTS,
    seeds: SeedsOption = None,
    pretraining_seeds: PretrainingSeedsOption = None,
    debug: DebugOption = False,
) -> None:
    """Rebuild a suite's tables and plots from its records; nothing is computed.

    Example: [bold]python run_suite.py report --suite demo[/bold]
    """
    from benchmark.reporting import speed
    from benchmark.reporting.results import of_folder, of_suite
    from benchmark.suites.suite import as_last_run, load_suite
    from common.errors import UserError
    from common.names import slug

    folder = results_folder(results)
    if suite == speed.SUITE:
        speed.show(folder / speed.SUITE)
        return
    try:
        loaded = load_suite(suite, folder, seeds, pretraining_seeds=pretraining_seeds)
        if seeds is pretraining_seeds is None:
            loaded = as_last_run(loaded)
    except UserError:
        # Suites without a config: single runs, and suites whose file is no longer there.
        if not (folder / slug(suite)).is_dir():
            raise
        found = of_folder(folder / slug(suite))
    else:
        found = of_suite(loaded)
    show(found, force=True)


def show(results: Results, force: bool = False, written: Results | None = None) -> None:
    """Bring tables and plots up to date and print the table with its notes.

    Args:
        force: write the files even when nothing has changed.
        written: what the files show, where that is more than the terminal does.
    """
    from benchmark import reporting
    from benchmark.reporting import comparisons, efficiency, ladder, page, tables, time_to_quality
    from benchmark.reporting.notes import notes_of
    from benchmark.running.console import say, say_notes, stdout

    reporting.update(written or results, force)
    console = stdout()
    console.print(tables.terminal(results, console.width))
    for table in efficiency.terminal(results):
        console.print(table)
    said = [*time_to_quality.sentences(results), *efficiency.sentences(results), *ladder.sentences(results)]
    say_notes(said + notes_of(results), console)
    if verdicts := comparisons.sentences(results):
        say("", console)
        say_notes(verdicts, console)
    folder = results.folder
    say(f"tables: {folder / 'tables'}\nplots:  {folder / 'plots'}\npage:   {folder / page.NAME}", console)
