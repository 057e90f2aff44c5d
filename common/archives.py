"""Tar files of strangers: a header may claim any size, and is believed only as far as a sample may go."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

BROKEN_TAR = (tarfile.TarError, EOFError, zlib.error, OSError, ValueError, RecursionError)
"""What reading a damaged tar file raises."""


class _Bounded:
    """A file that is read in pieces of at most so many bytes: tarfile reads headers as long as they claim."""

    def __init__(self, file: BinaryIO, largest: int) -> None:
        self._file = file
        self._largest = largest
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self._largest:
            raise tarfile.ReadError(f"a header claims {size:,} bytes")
        return self._file.read(size)


@contextmanager
def open_tar(path: Path, largest: int, packed: bool = False) -> Iterator[tarfile.TarFile]:
    """A tar file to read its members one after the other.

    Args:
        path: of the file.
        largest: bytes that are read at once, of a member or of a header; `member_bytes` keeps to it.
        packed: by gzip.

    Raises:
        any of `BROKEN_TAR`: it is no tar file.
    """
    with (
        (gzip.open if packed else open)(path, "rb") as file,
        tarfile.open(fileobj=_Bounded(file, largest), mode="r:") as tar,
    ):
        yield tar


def members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members of an open tar file, none of which is kept.

    Raises:
        tarfile.ReadError: one claims a negative size, which would lead back to what was read before.
    """
    for member in tar:
        tar.members = []  # where tarfile would collect every header
        if member.size < 0:
            raise tarfile.ReadError(f"{member.name} claims {member.size:,} bytes")
        yield member


def member_bytes(tar: tarfile.TarFile, member: tarfile.TarInfo, largest: int) -> bytes | None:
    """What a member holds; None where that is more than `largest` bytes, and is not read."""
    return None if member.size > largest else tar.extractfile(member).read()
