"""``label``: captions to WordNet synsets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.options import DebugOption


def command(
    captions: Annotated[list[Path], typer.Argument(help="Files of captions, or folders of them.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the sidecars.", show_default="beside each file")
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Mine WordNet nouns from captions into <file>.synsets.parquet. Labelled files are not read again.

    Tar shards (.tar, .tar.gz), .parquet, .jsonl and .txt files of captions are understood. Of a folder with
    tar shards these alone are taken, because img2dataset writes other files beside them.

    Example: [bold]python run_suite.py label cc3m/*.tar --out labels[/bold]
    """
    from benchmark.running.console import Display
    from benchmark.running.preparation import label
    from common.interrupt import stoppable
    from pretraining.labels.sources import find_captions

    found = [path for entry in captions for path in find_captions(entry)]
    with stoppable(), Display() as display:
        label(found, out, display)
