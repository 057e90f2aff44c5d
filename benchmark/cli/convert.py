"""``convert``: write any backbone in the suite's own format, or in another library's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.options import DebugOption, DownloadOption


def command(
    name: Annotated[str, typer.Argument(help="Backbone, as list backbones shows them.")],
    out: Annotated[Path, typer.Argument(help="Folder to write; it must be new.")],
    to: Annotated[str, typer.Option("--to", help="Format: suite, timm, openclip or hf.")] = "suite",
    download: DownloadOption = False,
    debug: DebugOption = False,
) -> None:
    """Write a backbone as a folder, and check that it computes the same when it is read back.

    Example: [bold]python run_suite.py convert corenet:vit_base.pt results/catlip_base[/bold]
    """
    from rich.console import Console

    from backbones.convert import convert
    from benchmark.running.console import say

    console = Console(stderr=True)
    with console.status(f"converting {name}"):
        written, lines = convert(name, out.expanduser(), to)
    for line in lines:
        say(line, console)
    say(written)
