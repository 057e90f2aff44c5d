"""``export``: results in the formats of others' collections."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.options import RESULTS, DebugOption, HubDataOption, ResultsOption, results_folder
from benchmark.suites.suite import DEFAULT_SUITE
from common.errors import UserError
from common.names import slug

FORMATS = ("every-eval-ever", "hf")


def command(
    out: Annotated[Path, typer.Argument(help="Folder to write; it must be new.")],
    to: Annotated[
        str, typer.Option("--to", help=f"Format: {' or '.join(FORMATS)} (cards for Hugging Face's hub).")
    ] = FORMATS[0],
    suite: Annotated[
        str, typer.Option("--suite", help="Name or file of a suite, or a folder of results.")
    ] = DEFAULT_SUITE,
    results: ResultsOption = RESULTS,
    organization: Annotated[
        str, typer.Option("--organization", help="Who evaluated, for Every Eval Ever.")
    ] = "unspecified",
    dataset: HubDataOption = [],  # noqa: B006 (typer copies it)
    debug: DebugOption = False,
) -> None:
    """Write a suite's finished results for Every Eval Ever, or as model cards; nothing is computed or sent.

    Example: [bold]python run_suite.py export results/exported --suite demo --to every-eval-ever[/bold]
    """
    from benchmark.cli.report import results_of
    from benchmark.reporting import exports, model_card
    from benchmark.running.console import say

    if to not in FORMATS:
        raise UserError(f"--to {to}: the formats are {', '.join(FORMATS)}")
    hub = model_card.parse_hub_data(dataset)
    out = out.expanduser()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} is in use: name a new folder")
    found = results_of(suite, results_folder(results))
    if to == "every-eval-ever":
        written, notes = exports.write_every_eval_ever(found, out, organization), []
    else:
        written, notes = [], []
        for label, own in exports.by_weights(found).items():
            files, said = model_card.write(out / slug(label), label, own.card(own.rows[0].name), own, hub)
            written, notes = written + files, notes + said
    for line in (*dict.fromkeys(notes), *written):
        say(line)
