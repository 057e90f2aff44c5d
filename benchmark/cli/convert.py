"""``convert``: write any backbone in the suite's own format, or in another library's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.options import DebugOption, DownloadOption, HubDataOption
from common.errors import UserError

LIBRARIES = {"hf": "transformers", "timm": "timm", "openclip": "open_clip"}
"""Format -> what Hugging Face's hub calls the library that reads it."""


def command(
    name: Annotated[str, typer.Argument(help="Backbone, as list backbones shows them.")],
    out: Annotated[Path, typer.Argument(help="Folder to write; it must be new.")],
    to: Annotated[str, typer.Option("--to", help="Format: suite, timm, openclip or hf.")] = "suite",
    evals: Annotated[
        Path | None,
        typer.Option(
            "--evals",
            help="A suite's results: write a model card with those of these weights.",
        ),
    ] = None,
    dataset: HubDataOption = [],  # noqa: B006 (typer copies it)
    download: DownloadOption = False,
    debug: DebugOption = False,
) -> None:
    """Write a backbone as a folder, and check that it computes the same when it is read back.

    Example: [bold]python run_suite.py convert corenet:vit_base.pt results/catlip_base[/bold]
    """
    from rich.console import Console

    from backbones.catalog import backbone_digest, describe
    from backbones.convert import convert
    from benchmark.reporting import exports, model_card
    from benchmark.reporting.results import of_folder
    from benchmark.running.console import say

    if dataset and evals is None:
        raise UserError("--dataset is for a model card with results: name their folder with --evals")
    hub, found = model_card.parse_hub_data(dataset), None
    if evals is not None:
        found = exports.of_digest(of_folder(evals.expanduser()), backbone_digest(name))
    console = Console(stderr=True)
    with console.status(f"converting {name}"):
        written, lines = convert(name, out.expanduser(), to)
    if found:
        _, notes = model_card.write(
            out.expanduser(), found.rows[0].name, describe(name), found, hub, LIBRARIES.get(to)
        )
        lines = [*lines, *notes]
    for line in lines:
        say(line, console)
    say(written)
