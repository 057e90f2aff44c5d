"""Where records are: finding, reading, writing, and moving aside what is of another cell."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from benchmark.records.schema import SCHEMA_VERSION, Record
from common.errors import UserError
from common.files import write_text

logger = logging.getLogger(__name__)


def write_record(folder: Path, record: Record) -> Path:
    """Write ``record.json`` atomically. It is the last file of a cell: with it the cell is finished."""
    path = Path(folder) / "record.json"
    write_text(path, record.model_dump_json(indent=2) + "\n")
    return path


def read_record(folder: Path) -> Record | None:
    """The record of a cell's folder.

    Returns:
        None when there is none, or a damaged one, which is reported and treated as not done.

    Raises:
        UserError: the record was written by a newer version of the suite.
    """
    path = Path(folder) / "record.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        version = values.get("schema_version", 0)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError) as error:
        logger.warning("%s cannot be read (%s): the cell counts as not done", path, error)
        return None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise UserError(f"{path} has schema version {version}, newer than {SCHEMA_VERSION}: update the suite")
    try:
        return Record.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        logger.warning(
            "%s is no valid record (%s: %s): the cell counts as not done", path, place, first["msg"]
        )
        return None


def find_records(suite_folder: Path) -> Iterator[tuple[Path, Record]]:
    """All readable records of a suite, with their folders, in order of path."""
    for path in sorted(Path(suite_folder).glob("*/*/*seed*/record.json")):
        if record := read_record(path.parent):
            yield path.parent, record


def set_aside(folder: Path, fingerprint: str) -> Path | None:
    """Move a cell's folder away when what is in it belongs to another fingerprint.

    A changed config must neither overwrite a finished result nor resume from the other one's checkpoints.
    The caller holds the cell's lock.

    Returns:
        Where the folder went, ``<suite>/.superseded/<backbone>/<task>/seed<k>-<n>``; None when it stayed.
    """
    folder = Path(folder)
    owner = folder / "fingerprint"
    try:
        current = owner.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        current = None
    if current == fingerprint:
        return None
    moved = None
    if folder.exists() and any(folder.iterdir()):
        task, backbone, suite = folder.parents[:3]
        parent = suite / ".superseded" / backbone.name / task.name
        parent.mkdir(parents=True, exist_ok=True)
        number = sum(1 for _ in parent.glob(f"{folder.name}-*"))
        moved = parent / f"{folder.name}-{number}"
        os.rename(folder, moved)
    write_text(owner, fingerprint + "\n")
    return moved
