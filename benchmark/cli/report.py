"""``report``: rebuild tables and plots from the records, or compare two folders of them."""

from __future__ import annotations

from pathlib import Path
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
from common.errors import UserError
from common.names import slug

if TYPE_CHECKING:
    from benchmark.reporting.results import Results


def command(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FOLDER] [OTHER]",
            show_default=False,
            help="A suite's results, and others to compare with.",
        ),
    ] = None,
    suite: Annotated[
        str, typer.Option("--suite", help="Name or file of a suite, or a folder of results.")
    ] = DEFAULT_SUITE,
    results: ResultsOption = RESULTS,
    seeds: SeedsOption = None,
    pretraining_seeds: PretrainingSeedsOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the comparison.", show_default="FOLDER/tables")
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Rebuild a suite's tables and plots from its records, or compare two folders; nothing is computed.

    Example: [bold]python run_suite.py report --suite demo[/bold]
    Of two machines: [bold]python run_suite.py report results/mine /elsewhere/results/mine[/bold]
    """
    from benchmark.reporting import speed

    if folders and len(folders) > 2:
        raise UserError(f"report takes one folder of results, or two to compare, not {len(folders)}")
    if folders and len(folders) == 2:
        compare(*folders, out)
        return
    if out is not None:
        raise UserError("--out is for a comparison: name two folders")
    folder = results_folder(results)
    if folders:
        suite, folder = folders[0].expanduser().absolute().name, folders[0].expanduser().absolute().parent
    if suite == speed.SUITE:
        speed.show(folder / speed.SUITE)
        return
    show(results_of(suite, folder, seeds, pretraining_seeds), force=True)


def results_of(
    suite: str, folder: Path, seeds: int | None = None, pretraining_seeds: int | None = None
) -> Results:
    """What a suite has found.

    Args:
        suite: name or file of a suite, or the name of a folder of results.
        folder: the results folder.
        seeds, pretraining_seeds: instead of those that it was last run with.

    Raises:
        UserError: there is no such suite and no such folder.
    """
    from benchmark.reporting.results import of_folder, of_suite
    from benchmark.suites.suite import as_last_run, load_suite

    try:
        loaded = load_suite(suite, folder, seeds, pretraining_seeds=pretraining_seeds)
        if seeds is pretraining_seeds is None:
            loaded = as_last_run(loaded)
    except UserError:
        # Suites without a config: single runs, and suites whose file is no longer there.
        if not (folder / slug(suite)).is_dir():
            raise
        return of_folder(folder / slug(suite))
    return of_suite(loaded)


def compare(first: Path, second: Path, out: Path | None) -> None:
    """Print and write what two folders of results have in common, and what not."""
    from benchmark.reporting import two_folders
    from benchmark.reporting.results import of_folder
    from benchmark.running.console import say, say_notes, stdout

    found = [of_folder(folder.expanduser().absolute()) for folder in (first, second)]
    compared = two_folders.compare(*found)
    console = stdout()
    say(f"A: {found[0].folder}\nB: {found[1].folder}", console)
    console.print(two_folders.terminal(compared))
    say_notes(two_folders.sentences(compared), console)
    for path in two_folders.write(compared, found[0].folder, found[1].folder, out):
        say(path, console)


def show(results: Results, force: bool = False, written: Results | None = None) -> None:
    """Bring tables and plots up to date and print the table with its notes.

    Args:
        force: write the files even when nothing has changed.
        written: what the files show, where that is more than the terminal does.
    """
    from benchmark import reporting
    from benchmark.reporting import comparisons, efficiency, ladder, page, tables, time_to_quality
    from benchmark.reporting.names import task_titles, titled
    from benchmark.reporting.notes import notes_of
    from benchmark.running.console import say, say_notes, stdout

    reporting.update(written or results, force)
    console = stdout()
    console.print(tables.terminal(results, console.width))
    for table in efficiency.terminal(results):
        console.print(table)
    said = [*time_to_quality.sentences(results), *efficiency.sentences(results), *ladder.sentences(results)]
    say_notes(titled(said + notes_of(results), task_titles(results)), console)
    if verdicts := comparisons.sentences(results):
        say("", console)
        say_notes(verdicts, console)
    folder = results.folder
    say(f"tables: {folder / 'tables'}\nplots:  {folder / 'plots'}\npage:   {folder / page.NAME}", console)
