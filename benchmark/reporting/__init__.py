"""Tables and plots, made from records."""

from __future__ import annotations

from pathlib import Path

from benchmark.reporting.results import Results
from common.digest import digest
from common.files import read_json, write_json

_FORMAT = 2
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
    made = read_json(stamp)
    fresh = isinstance(made, dict) and made.get("state") == state
    if fresh and not force and all((results.folder / name).is_file() for name in made["files"]):
        return False
    from benchmark.reporting import curves, efficiency, ladder, plots, time_to_quality

    files = tables.write(results) + plots.write(results, histories)
    files += time_to_quality.write(results) + curves.write(results) + efficiency.write(results)
    files += ladder.write(results)
    names = [path.relative_to(results.folder).as_posix() for path in files]
    write_json(stamp, {"state": state, "files": names})
    return True


def _histories(folder: Path) -> dict[str, Path]:
    """Training histories of the suite's own pre-trainings, by name."""
    return {path.parent.name: path for path in sorted((folder / "pretrain").glob("*/history.csv"))}
