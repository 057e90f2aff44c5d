"""``list``: what there is to name on the command line."""

from __future__ import annotations

import ast
import fnmatch
from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.options import RESULTS, DebugOption, ResultsOption, results_folder

KINDS = ("backbones", "tasks", "suites", "geometries", "features")
NO_TASKS = {"suites": "suites", "geometries": "speed"}
"""Kinds of configs that are named by their stem alone -> their folder."""


def command(
    kind: Annotated[str, typer.Argument(metavar="|".join(KINDS), help="What to list.")],
    pattern: Annotated[str, typer.Argument(help="Shell pattern, for instance '*mini*'.")] = "*",
    results: ResultsOption = RESULTS,
    debug: DebugOption = False,
) -> None:
    """List backbones, task configs, suites, geometries that speed is measured in, or features that are kept.

    Example: [bold]python run_suite.py list backbones '*mini*'[/bold]
    """
    from rich.table import Table

    from benchmark.running.console import cell, stdout
    from common.errors import UserError
    from common.names import suggest

    if kind not in KINDS:
        raise UserError(f"cannot list {kind!r}: {suggest(kind, KINDS)}")
    if kind == "backbones":
        entries = _backbones(pattern)
    elif kind == "features":
        entries = _features(results_folder(results), pattern)
    else:
        entries = _configs(kind, pattern)
    if not entries:
        raise UserError(f"no {kind} match {pattern!r}: python run_suite.py list {kind} shows all")
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column()
    for name, summary in entries:
        table.add_row(cell(name), cell(summary, "dim"))
    stdout().print(table)


def _backbones(pattern: str) -> list[tuple[str, str]]:
    from backbones import catalog

    return [(entry.name, entry.summary) for entry in catalog.list_backbones(pattern)]


def _features(results: Path, pattern: str) -> list[tuple[str, str]]:
    """Entries of the cache, the most recently used first. To be rid of one, remove its folder."""
    from datetime import datetime

    from benchmark.features.cache import FeatureCache

    entries = []
    for about in reversed(FeatureCache(results / "features").entries()):
        name = about.get("words") or about["folder"].name
        if fnmatch.fnmatch(name, pattern):
            used = datetime.fromtimestamp(about.get("used", 0)).strftime("%Y-%m-%d %H:%M")
            kinds = " ".join(sorted(about["kinds"]))
            size = f"{about['bytes'] / 2**20:,.1f} MiB"
            told = f"{about.get('count', 0):,} images, {kinds}, {size}, used {used}"
            entries.append((name, f"{told}, {about['folder']}"))
    return entries


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
