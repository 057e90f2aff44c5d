"""``list``: what there is to name on the command line."""

from __future__ import annotations

import ast
import fnmatch
from typing import Annotated

import typer

from benchmark.cli.options import DebugOption

KINDS = ("backbones", "tasks", "suites", "geometries")
NO_TASKS = {"suites": "suites", "geometries": "speed"}
"""Kinds of configs that are named by their stem alone -> their folder."""


def command(
    kind: Annotated[str, typer.Argument(metavar="|".join(KINDS), help="What to list.")],
    pattern: Annotated[str, typer.Argument(help="Shell pattern, for instance '*mini*'.")] = "*",
    debug: DebugOption = False,
) -> None:
    """List backbones, task configs, suites, or geometries that speed is measured in.

    Example: [bold]python run_suite.py list backbones '*mini*'[/bold]
    """
    from rich.table import Table
    from rich.text import Text

    from benchmark.running.console import stdout
    from common.errors import UserError
    from common.names import suggest

    if kind not in KINDS:
        raise UserError(f"cannot list {kind!r}: {suggest(kind, KINDS)}")
    entries = _backbones(pattern) if kind == "backbones" else _configs(kind, pattern)
    if not entries:
        raise UserError(f"no {kind} match {pattern!r}: python run_suite.py list {kind} shows all")
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column()
    for name, summary in entries:
        table.add_row(Text(name), Text(summary, style="dim"))
    stdout().print(table)


def _backbones(pattern: str) -> list[tuple[str, str]]:
    from backbones import catalog

    return [(entry.name, entry.summary) for entry in catalog.list_backbones(pattern)]


def _configs(kind: str, pattern: str) -> list[tuple[str, str]]:
    """Configs and the first line of their docstrings, read without running them."""
    from common.configs import CONFIGS

    entries = []
    for path in sorted(CONFIGS.glob("*/*.py")):
        folder = path.parent.name
        other = folder in {"pretraining", *NO_TASKS.values()} if kind == "tasks" else folder != NO_TASKS[kind]
        if path.name == "__init__.py" or other:
            continue
        name = path.relative_to(CONFIGS).as_posix() if kind == "tasks" else path.stem
        if fnmatch.fnmatch(name, pattern) or fnmatch.fnmatch(path.stem, pattern):
            docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            entries.append((name, docstring.splitlines()[0] if docstring else ""))
    return entries
