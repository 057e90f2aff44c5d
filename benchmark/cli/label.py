"""``label``: captions to WordNet synsets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.options import DebugOption


def command(
    shards: Annotated[list[Path], typer.Argument(help="Files of captions, or folders of tar shards.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the sidecars.", show_default="beside each file")
    ] = None,
    vocabulary: Annotated[
        Path | None, typer.Option("--vocabulary", help="Also count the synsets of these files into this csv.")
    ] = None,
    min_count: Annotated[
        int, typer.Option(min=1, help="Leave synsets of fewer captions out of the vocabulary.")
    ] = 500,
    max_size: Annotated[
        int | None, typer.Option(min=1, help="Keep only the commonest so many.", show_default="all")
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Mine WordNet nouns from captions into <file>.synsets.parquet. Labelled files are not read again.

    Tar shards, .parquet, .jsonl and .txt files of captions are understood.

    Example: [bold]python run_suite.py label cc3m/*.tar --vocabulary cc3m/vocabulary.csv[/bold]
    """
    from benchmark.console import Display
    from benchmark.interrupt import stoppable
    from benchmark.preparation import label

    found = [path for entry in shards for path in _shards(entry)]
    with stoppable(), Display() as display:
        label(found, out, display)
        if vocabulary is not None:
            from pretraining.labelling import sidecar_path
            from pretraining.vocabulary import Vocabulary

            counted = Vocabulary.count([sidecar_path(path, out) for path in found], min_count, max_size)
            counted.save(vocabulary)
            display.line(f"{vocabulary}: {len(counted):,} synsets")


def _shards(entry: Path) -> list[Path]:
    """A shard itself, or those of a folder.

    Raises:
        UserError: there is nothing.
    """
    from backbones.errors import UserError

    if entry.is_dir():
        if found := sorted(entry.rglob("*.tar")):
            return found
        raise UserError(f"{entry} holds no .tar shards: name a folder of WebDataset shards, or the shards")
    if not entry.is_file():
        raise UserError(f"{entry} does not exist: name tar shards or a folder of them")
    return [entry]
