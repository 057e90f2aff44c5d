"""What decides a result: the part of a config that matters, and the content of a data folder."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from common.digest import digest, folder_digest
from common.errors import UserError
from common.files import read_json, write_json

NO_INFLUENCE = frozenset(
    {
        "device",
        "encode_batch_size",
        "num_workers",
        "persistent_workers",
        "pin_memory",
        "prefetch_factor",
        "work_dir",
        "workers",
    }
)
"""Entries of a config that decide speed or place, never the result: at no depth part of the fingerprint."""


def influential(value: Any) -> Any:
    """The entries of a config that decide a result: all but `NO_INFLUENCE`."""
    if isinstance(value, dict):
        return {key: influential(item) for key, item in value.items() if key not in NO_INFLUENCE}
    if isinstance(value, list):
        return [influential(item) for item in value]
    return value


def data_digest(folder: Path, results: Path) -> str:
    """`folder_digest`, remembered in ``<results>/.digests.json`` as long as nothing in the folder changes.

    Of a manifest's data: of the folder that it lies in, and of its name.

    Raises:
        UserError: the folder is missing.
    """
    if Path(folder).is_file():
        return digest([Path(folder).name, data_digest(Path(folder).parent, results)])
    if not Path(folder).is_dir():
        raise UserError(f"data folder {folder} does not exist: run prepare, or name the folder with --data")
    state = _state(folder)
    cache = results / ".digests.json"
    known = read_json(cache)
    known = known if isinstance(known, dict) else {}
    key = str(Path(folder).resolve())
    match known.get(key):
        case {"state": seen, "digest": str(remembered)} if seen == state:
            return remembered
    known[key] = {"state": state, "digest": folder_digest(folder)}
    write_json(cache, known)
    return known[key]["digest"]


def newest_change(folder: Path) -> float:
    """When something in a data folder changed last, in seconds since 1970 and not in the future.

    Of a manifest's data: in the folder that it lies in. A file that was replaced counts as changed though the
    new one may carry an older date.
    """
    folder = Path(folder)
    return min(_state(folder.parent if folder.is_file() else folder)[2] / 1e9, time.time())


def _state(folder: Path) -> list[int]:
    """Number of entries, bytes and newest change below a folder: different as soon as a file was touched."""
    count = size = newest = 0
    pending, seen = [os.fspath(folder)], set()
    while pending:
        current = pending.pop()
        status = os.stat(current)
        if (status.st_dev, status.st_ino) in seen:  # a link back to a folder above
            continue
        seen.add((status.st_dev, status.st_ino))
        newest = max(newest, _changed(status))
        with os.scandir(current) as entries:
            for entry in entries:
                if entry.name.startswith(".") and entry.name.endswith(".lock"):
                    continue  # ours, taken at every run
                count += 1
                if entry.is_dir():
                    pending.append(entry.path)
                elif entry.is_file():
                    status = entry.stat()
                    size += status.st_size
                    newest = max(newest, _changed(status))
    return [count, size, newest]


def _changed(status: os.stat_result) -> int:
    """A copied file may carry an older date than the change that put it there."""
    return max(status.st_mtime_ns, status.st_ctime_ns)
