"""What a cell or a pre-training waits for that nobody here can make: data, pairs, released weights."""

from __future__ import annotations

from pathlib import Path

from backbones import catalog
from backbones.released import released
from benchmark.running.preparation import point_to
from benchmark.suites.cell import Cell
from benchmark.suites.shipped import drawn_folder
from benchmark.suites.suite import Pretraining, Suite
from benchmark.tasks import task_type
from common.errors import UserError

FILES = ("corenet", "openclip", "openai", "superclass")
"""Sources whose weights are a file that the user fetches."""


def of_pretraining(suite: Suite, entry: Pretraining) -> str | None:
    """Why a pre-training cannot begin, in a line; None where it can, or has ended."""
    if (entry.out / "backbone.json").is_file():
        return None
    return _data(suite, entry.data, suite.data[entry.data], "pairs")


def of_cell(suite: Suite, cell: Cell) -> list[str]:
    """Why a cell cannot be computed, a line for each thing that it lacks."""
    lacking = [_data(suite, cell.task.data_name, cell.data, task_type(cell.task.type).layout)]
    lacking += [_data(suite, name, place, None) for name, place in cell.further]
    return [line for line in (*lacking, _weights(suite, cell)) if line]


def _data(suite: Suite, name: str, folder: Path, layout: str | None) -> str | None:
    drawn = any(folder.is_relative_to(drawn_folder(suite.results, entry)) for entry in suite.prepare)
    if folder.exists() or drawn:
        return None
    return f"data {name}: {folder} does not exist: {point_to(name, layout)}"


def _weights(suite: Suite, cell: Cell) -> str | None:
    source, _, rest = cell.backbone.partition(":")
    file = Path(rest.partition("?")[0]).expanduser()
    if source == "run":
        made = next(
            (e for e in suite.pretrainings() if cell.backbone in (e.backbone, *e.kept.values())), None
        )
        if made is not None:
            return of_pretraining(suite, made)
        return (
            None if (file / "backbone.json").is_file() else f"{file} holds no checkpoint: pre-train it first"
        )
    if source in FILES:
        if file.exists():
            return None
        entry = released(cell.backbone)
        where = f"get {entry.where}, and name its folder with --weights DIR" if entry else "put it there"
        return f"weights {file.name}: {file} does not exist: {where}"
    try:
        catalog.ready(cell.backbone)
    except UserError as error:
        return str(error)
    return None
