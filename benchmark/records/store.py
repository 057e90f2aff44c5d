"""Where records are: finding, reading, writing, and moving aside what is of another cell."""

from __future__ import annotations

import glob
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from benchmark.records.schema import SCHEMA_VERSION, Record
from common.errors import UserError, first_line
from common.files import write_text
from common.terminal import printable

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
    record, damage = read_or_damage(folder)
    if damage:
        logger.warning("%s: the cell counts as not done", printable(damage))
    return record


def read_or_damage(folder: Path) -> tuple[Record | None, str]:
    """The record of a cell's folder, None when there is none; and what is wrong with one that cannot be read.

    Raises:
        UserError: the record was written by a newer version of the suite.
    """
    path = Path(folder) / "record.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError("it is no JSON object")
        version = values.get("schema_version", 0)
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise UserError(
                f"{path} has schema version {version}, newer than {SCHEMA_VERSION}: update the suite"
            )
        return Record.model_validate(values), ""
    except FileNotFoundError:
        return None, ""
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "content"
        return None, f"{path} is no valid record ({place}: {first['msg']})"
    except (OSError, ValueError, RecursionError) as error:
        return None, f"{path} cannot be read ({first_line(error)})"


def record_folders(suite_folder: Path) -> list[Path]:
    """The cells of a suite that have a record, readable or not, in order of path."""
    return sorted(path.parent for path in Path(suite_folder).glob("*/*/*seed*/record.json"))


def find_records(suite_folder: Path) -> Iterator[tuple[Path, Record]]:
    """All readable records of a suite, with their folders, in order of path."""
    for folder in record_folders(suite_folder):
        if record := read_record(folder):
            yield folder, record


def kept_aside(folder: Path, fingerprint: str | None = None) -> Path | None:
    """The latest finished result of a cell that `set_aside` moved away.

    Args:
        folder: the cell's.
        fingerprint: that it has to have; None: whichever.
    """
    task, backbone, suite = Path(folder).parents[:3]
    parent = suite / _SUPERSEDED / backbone.name / task.name
    for kept in sorted(parent.glob(f"{glob.escape(Path(folder).name)}-*"), key=_number, reverse=True):
        record = read_record(kept)
        if record and record.status == "done" and fingerprint in (None, record.fingerprint):
            return kept
    return None


def take_back(folder: Path, fingerprint: str) -> Record | None:
    """Put a finished result back that was moved aside, where it has this fingerprint; None: there is none.

    What is there instead is moved aside in turn. The caller holds the cell's lock.
    """
    kept = kept_aside(folder, fingerprint)
    if kept is None:
        return None
    _move_aside(Path(folder))  # an empty folder is replaced as it is
    os.rename(kept, folder)
    return read_record(folder)


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
    moved = _move_aside(folder)
    write_text(owner, fingerprint + "\n")
    return moved


def _move_aside(folder: Path) -> Path | None:
    """Move a folder below ``.superseded``, under the next number; None where it is empty or missing."""
    if not folder.exists() or not any(folder.iterdir()):
        return None
    task, backbone, suite = folder.parents[:3]
    parent = suite / _SUPERSEDED / backbone.name / task.name
    parent.mkdir(parents=True, exist_ok=True)
    number = 1 + max((_number(path) for path in parent.glob(f"{glob.escape(folder.name)}-*")), default=-1)
    moved = parent / f"{folder.name}-{number}"
    os.rename(folder, moved)
    return moved


def _number(path: Path) -> int:
    last = path.name.rpartition("-")[2]
    return int(last) if last.isdecimal() else -1


_SUPERSEDED = ".superseded"
