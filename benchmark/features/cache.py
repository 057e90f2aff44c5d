"""Features that were extracted before: kept by their content, in parts that are mapped into memory.

    <results>/features/<key>/about.json              what they are of, and the digest of every part
    <results>/features/<key>/<kind>-<part>.npy       rows [n, D], float32

A part is written, then named in about.json: an extraction that was killed goes on behind the last part. A
file that is not what about.json says of it (torn, altered, replaced) is made again, and so is all behind it.
"""

from __future__ import annotations

import os
import shutil
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from common.digest import digest
from common.files import read_json, replacing, write_json
from common.locks import FolderLock

DOUBLED = 50_000_000
"""Numbers (images x width) up to which a problem is small."""
PART = 16_384
"""Rows of a part."""
LIMIT = 20 << 30
"""Bytes that the folder may hold; `LIMIT_VARIABLE` says otherwise."""
LIMIT_VARIABLE = "CATLIP_FEATURES_GB"
ABOUT = "about.json"

Extract = Callable[[list[str], int, int], Mapping[str, Tensor]]
"""Kinds of features, and which images (from, to) -> kind -> features [to - from, D]."""


@dataclass(frozen=True)
class FeatureTable:
    """Features of a list of images.

    Attributes:
        shards: [n, D] float32 on the CPU, in order; mapped from files where they are kept.
    """

    shards: list[Tensor]

    def __len__(self) -> int:
        return sum(map(len, self.shards))

    @property
    def width(self) -> int:
        return self.shards[0].shape[1]

    def tensor(self, device: str | torch.device = "cpu", dtype: torch.dtype | None = None) -> Tensor:
        """All of them [N, D], in memory."""
        return torch.cat([shard.to(device, dtype) for shard in self.shards])

    def for_solver(self, device: str) -> list[Tensor]:
        """The parts as a solver wants them.

        A small problem on the CPU is float64 and in memory, for the solver gets further in it; else they are
        left as they are.
        """
        if device == "cpu" and len(self) * self.width <= DOUBLED:
            return [self.tensor(dtype=torch.float64)]
        return self.shards


class FeatureCache:
    """The folder that features are kept in.

    Args:
        folder: ``<results>/features``.
        limit: bytes that it may hold: the least recently used go first. Default `LIMIT`, or what the
            environment variable ``CATLIP_FEATURES_GB`` says; 0 keeps nothing.
    """

    def __init__(self, folder: Path, limit: int | None = None) -> None:
        self.folder = Path(folder)
        given = os.environ.get(LIMIT_VARIABLE)
        self.limit = limit if limit is not None else LIMIT if given is None else int(float(given) * 2**30)

    def tables(
        self, identity: Mapping[str, Any], count: int, kinds: list[str], extract: Extract, words: str = ""
    ) -> dict[str, FeatureTable]:
        """Features of some kinds, from the folder as far as they are there.

        Args:
            identity: what decides them, but for the kind, as JSON can hold it.
            count: of images.
            kinds: that are wanted.
            extract: makes those that are not there.
            words: what they are of, for whoever looks at the folder.
        """
        if not self.limit:
            made = extract(kinds, 0, count)
            return {kind: FeatureTable([made[kind]]) for kind in kinds}
        entry = self.folder / digest(dict(identity))
        with _alone(entry):
            entry.mkdir(parents=True, exist_ok=True)
            about = _about(entry) or {
                "words": words,
                "of": dict(identity),
                "count": count,
                "kinds": {},
            }
            for number, start in enumerate(range(0, count, PART)):
                missing = [kind for kind in kinds if not _sound(entry, about, kind, number)]
                if not missing:
                    continue
                made = extract(missing, start, min(start + PART, count))
                for kind in missing:
                    parts = about["kinds"].setdefault(kind, [])[:number]
                    about["kinds"][kind] = [*parts, _write(entry, kind, number, made[kind])]
                write_json(entry / ABOUT, {**about, "used": time.time()})
            write_json(entry / ABOUT, {**about, "used": time.time()})
            found = {
                kind: FeatureTable([_map(_path(entry, kind, n)) for n in range(len(about["kinds"][kind]))])
                for kind in kinds
            }
        self._make_room(entry)
        return found

    def entries(self) -> list[dict[str, Any]]:
        """What is kept, the least recently used first: about.json, with ``folder`` and ``bytes``."""
        found = []
        for path in self.folder.glob(f"*/{ABOUT}"):
            if about := _about(path.parent):
                size = sum(file.stat().st_size for file in path.parent.glob("*.npy"))
                found.append({**about, "folder": path.parent, "bytes": size})
        return sorted(found, key=lambda about: about.get("used", 0))

    def _make_room(self, keep: Path) -> None:
        """Remove the least recently used entries beyond the limit; none that a process is at work on."""
        entries = self.entries()
        total = sum(about["bytes"] for about in entries)
        for about in entries:
            if total <= self.limit:
                return
            lock = FolderLock(about["folder"])
            if about["folder"] != keep and lock.acquire():
                # whoever has mapped its files keeps them until it is done with them
                shutil.rmtree(about["folder"], ignore_errors=True)
                lock.release()
                total -= about["bytes"]


def _path(entry: Path, kind: str, number: int) -> Path:
    return entry / f"{kind}-{number:05}.npy"


def _about(entry: Path) -> dict[str, Any] | None:
    match about := read_json(entry / ABOUT):
        case {"kinds": {}} if all(type(about.get(key, 0)) in (int, float) for key in ("used", "count")):
            return about
    return None


def _write(entry: Path, kind: str, number: int, features: Tensor) -> int:
    path = _path(entry, kind, number)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, features.float().cpu().numpy())
    return _checksum(path)


def _sound(entry: Path, about: dict[str, Any], kind: str, number: int) -> bool:
    known = about["kinds"].get(kind, [])
    if number >= len(known):
        return False
    with suppress(OSError):
        return _checksum(_path(entry, kind, number)) == known[number]
    return False


def _checksum(path: Path) -> int:
    """Against accidents; whoever may write here may also write records."""
    found = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            found = zlib.crc32(block, found)
    return found


def _map(path: Path) -> Tensor:
    # copy on write: torch wants memory that it may write to, the file stays as it is
    return torch.from_numpy(np.load(path, mmap_mode="c", allow_pickle=False))


@contextmanager
def _alone(entry: Path) -> Iterator[None]:
    """Wait until no other process is at work on an entry."""
    lock = FolderLock(entry)
    while not lock.acquire():
        time.sleep(0.2)
    try:
        yield
    finally:
        lock.release()
