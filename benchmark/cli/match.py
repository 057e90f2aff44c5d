"""``match``: a target's labels to the classes of a vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.options import DebugOption

if TYPE_CHECKING:
    from rich.table import Table

    from pretraining.labels.matching import Match

SHOWN = 20  # rows of the table on the terminal; the csv holds all


def command(
    labels: Annotated[
        list[str],
        typer.Argument(
            help="imagenet1k, coco or ade20k; or a file: a label per line, categories_places365.txt, a csv "
            "with a column name, COCO's json; or a folder of class folders."
        ),
    ],
    vocabulary: Annotated[Path, typer.Option("--vocabulary", help="The vocabulary.csv to match with.")],
    alpha: Annotated[
        float,
        typer.Option(help="Least path similarity: 1 is the very synset, 0.5 also its parents and children."),
    ] = 0.5,
    out: Annotated[Path | None, typer.Option("--out", help="Also write every match to this csv.")] = None,
    plots: Annotated[
        Path | None, typer.Option("--plots", help="Folder for the plot of coverage against similarity.")
    ] = None,
    show: Annotated[
        int, typer.Option(min=0, help="Rows to print of each label set, the worst first.")
    ] = SHOWN,
    debug: DebugOption = False,
) -> None:
    """Say which of a target's labels match which class, and how closely: what Transfer Init can copy.

    Example: [bold]python run_suite.py match coco --vocabulary vocabulary.csv --out matches.csv[/bold]
    """
    from dataclasses import asdict

    from benchmark.running.console import say, stdout
    from common.files import check_apart, write_text
    from pretraining.labels.label_lists import read_labels
    from pretraining.labels.matching import match_labels
    from pretraining.labels.vocabulary import Vocabulary

    check_apart([out], [vocabulary, *map(Path, labels)])
    classes = Vocabulary.load(vocabulary)
    targets = {name: match_labels(read_labels(name), classes, alpha) for name in labels}
    console = stdout()
    for name, matches in targets.items():
        if show:
            console.print(_table(name, matches, show))
        say(_summary(name, matches, alpha), console)
    written = []
    if out is not None:
        from benchmark.reporting.tables import csv_text

        lines = [{"labels": name} | asdict(match) for name, matches in targets.items() for match in matches]
        write_text(out, csv_text(lines))
        written.append(out)
    if plots is not None:
        from benchmark.reporting.label_plots import write_coverage_plot

        written += write_coverage_plot(targets, plots)
    for path in written:
        say(path, console)


def _table(name: str, matches: list[Match], show: int) -> Table:
    """The matches that most want a look: what has no class first, then the least similar."""
    from rich.table import Table
    from rich.text import Text

    worst = sorted(matches, key=lambda match: match.similarity)[:show]
    title = f"{name}: the {len(worst)} least similar of {len(matches)} synsets"
    table = Table(title=title, title_justify="left")
    for column in ("label", "read as", "synset", "nearest class", "similarity", "match"):
        table.add_column(column, justify="right" if column == "similarity" else "left")
    for match in worst:
        cells = (match.label, match.phrase, match.name or "–", match.class_name or "–")
        similarity = f"{match.similarity:.2f}" if match.synset is not None else "–"
        table.add_row(*map(Text, (*cells, similarity, match.kind)))
    return table


def _summary(name: str, matches: list[Match], alpha: float) -> str:
    from pretraining.labels.matching import kinds_of_labels

    kinds = kinds_of_labels(matches)
    total = sum(kinds.values())
    shares = ", ".join(f"{kind} {count} ({count / total:.1%})" for kind, count in kinds.items())
    return f"{name}: {total} labels at alpha {alpha:g}: {shares}"
