"""Tables and plots, made from records."""

from __future__ import annotations

from pathlib import Path

from benchmark.reporting.results import Results
from common.digest import digest
from common.files import read_json, within, write_json

_FORMAT = 3
"""Raised whenever other files are written of the same results."""


def update(results: Results, force: bool = False) -> bool:
    """Write a suite's tables and plots, unless those on disk were made from the very same results.

    Returns:
        Whether anything was written.
    """
    from benchmark.reporting import tables

    stamp = results.folder / "tables" / ".made_from.json"
    histories = _histories(results.folder)
    times = [[path.as_posix(), path.stat().st_mtime_ns] for path in histories.values()]
    state = digest([_FORMAT, results.content(), times])
    made, before = _made_from(stamp)
    if made == state and not force and all((results.folder / name).is_file() for name in before):
        return False
    from benchmark.reporting import (
        comparisons,
        curves,
        efficiency,
        labels,
        ladder,
        page,
        panels,
        plots,
        published,
        time_to_quality,
        verdict_plot,
    )

    parts = (
        tables,
        time_to_quality,
        curves,
        efficiency,
        ladder,
        comparisons,
        verdict_plot,  # of what `comparisons` wrote
        published,
        panels,
        labels,
    )
    files = plots.write(results, histories)
    for part in parts:
        files += part.write(results)
    files += page.write(results)  # shows the others
    names = [path.relative_to(results.folder).as_posix() for path in files]
    for name in set(before) - set(names):
        if old := within(results.folder, name):
            old.unlink(missing_ok=True)  # of earlier results
    write_json(stamp, {"state": state, "files": names})
    return True


def _made_from(stamp: Path) -> tuple[str | None, list[str]]:
    """The state that the files on disk were made from, and their names; none where that is not known."""
    match read_json(stamp):
        case {"state": str(state), "files": [*files]} if all(isinstance(name, str) for name in files):
            return state, files
    return None, []


def _histories(folder: Path) -> dict[str, Path]:
    """Training histories of the suite's own pre-trainings, by name."""
    return {path.parent.name: path for path in sorted((folder / "pretrain").glob("*/history.csv"))}
