"""Digests: how a result knows what it was made from."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any


def digest(value: Any) -> str:
    """Digest of a JSON-like value, independent of the order of dictionary keys.

    Args:
        value: nested dicts, lists, strings, numbers, booleans and None.

    Returns:
        32 hexadecimal characters (the first half of a SHA-256).

    Raises:
        TypeError: the value holds something JSON cannot express.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


# what a file was when it was read -> its digest; a suite asks for the same weights once per cell
_READ: dict[tuple[int, ...], str] = {}
_SETTLED = 2_000_000_000
"""Nanoseconds. A file changed more lately could change again without a new time: it is not remembered."""


def file_digest(path: Path) -> str:
    """Digest of a file's bytes (32 hexadecimal characters). A file that did not change is read once."""
    with Path(path).open("rb") as file:
        status = os.fstat(file.fileno())
        times = (status.st_mtime_ns, status.st_ctime_ns)
        known = (status.st_dev, status.st_ino, status.st_size, *times)
        if known in _READ:
            return _READ[known]
        settled = time.time_ns() - max(times) > _SETTLED
        hasher = hashlib.sha256()
        while block := file.read(1 << 20):
            hasher.update(block)
    found = hasher.hexdigest()[:32]
    if settled:
        _READ[known] = found
    return found


def folder_digest(root: Path) -> str:
    """Digest of a data folder: relative paths and sizes of its files, and the bytes of its annotations.

    Pictures and tar shards are told apart by name and size alone, because reading a data set to see whether
    it changed would cost as much as using it; ``.json``, ``.csv`` and ``.parquet`` under 64 MiB are read.
    """
    entries = []
    for folder, _, names in os.walk(root, followlinks=True):
        for name in names:
            path = Path(folder, name)
            size = path.stat().st_size
            entry = [path.relative_to(root).as_posix(), size]
            if path.suffix in {".json", ".csv", ".parquet"} and size < 64 << 20:
                entry.append(file_digest(path))
            entries.append(entry)
    return digest(sorted(entries, key=lambda entry: entry[0]))
