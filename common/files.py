"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common import PROJECT
from common.errors import UserError

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_SAID_OF_DISK = "(os error 28)", "PytorchStreamWriter failed writing"
"""How libraries say that the disk is full, where they raise errors of their own (safetensors, PyTorch)."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Tell of a disk that cannot be written, in one line, whoever writes to it in the block.

    Raises:
        UserError: it is full or read-only.
    """
    try:
        yield
    except Exception as error:  # libraries raise errors of their own
        full = any(words in str(error) for words in _SAID_OF_DISK)
        number = errno.ENOSPC if full else getattr(error, "errno", None)
        if number not in _DISK:
            raise
        raise UserError(
            f"{path} cannot be written ({os.strerror(number)}): make room, or name another folder; what is "
            "finished stays, and the same command goes on from it"
        ) from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; what was written there replaces `path` when the block succeeds.

    The temporary file keeps the suffix, because some writers choose their format by it. If the block raises,
    the old file stays and the temporary one is removed.

    Raises:
        UserError: `path` is a folder, or the disk is full or read-only.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder: name the file to write")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        with writing(path):
            yield temporary
        os.chmod(temporary, 0o666 & ~umask())  # mkstemp makes private files; results are to be shared
        os.replace(temporary, path)
    except OSError as error:
        if error.filename is None:  # a full disk does not say whose writing it ended
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def read_json(path: Path) -> Any | None:
    """Read a JSON file that only speeds things up: None when it is missing or damaged."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def placed(path: str | Path) -> Path:
    """A path that a user gave: as it is, or where there is nothing of a relative one, within the project.

    Commands in records name what lies in the project relative to it, and work from any folder so.
    """
    given = Path(path).expanduser()
    inside = PROJECT / given
    return inside if not given.is_absolute() and not given.exists() and inside.exists() else given


def within(root: Path, name: str | Path) -> Path | None:
    """A file that a record or an annotation names below a folder; None where it would lie outside of it.

    Links are followed: the folder itself may be one. What no path can be called lies nowhere.
    """
    try:
        path = (Path(root) / name).resolve()
    except (OSError, RuntimeError, ValueError):  # links in a circle, characters that no file system knows
        return None
    return path if path.is_relative_to(Path(root).resolve()) else None


def check_apart(written: Iterable[Path | None], read: Iterable[Path]) -> None:
    """Refuse to write over what a command reads.

    Args:
        written: files that it is to write; None for those that nobody asked for.
        read: its input.

    Raises:
        UserError: the first file that is both.
    """
    read = {Path(path).resolve() for path in read}
    for path in filter(None, written):
        if Path(path).resolve() in read:
            raise UserError(f"{path} is what the command reads: name another file to write")


def tail(path: Path, lines: int = 20, start: int = 0) -> list[str]:
    """The last lines of a log that are not blank, of what follows byte `start`."""
    with Path(path).open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(start, file.tell() - 64 * 1024))
        text = file.read().decode("utf-8", errors="replace")
    return [line.rstrip() for line in text.splitlines() if line.strip()][-lines:]


def umask() -> int:
    """The bits of permission that this process leaves out of new files."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
