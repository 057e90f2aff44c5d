"""Holding a folder, so that two processes never fill it at once."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path


class FolderLock:
    """An exclusive lock on a folder, held by the operating system: it ends with the processes that hold it.

    The lock's file is beside the folder. Its descriptor is meant to be inherited by the child process that
    fills the folder, so that this stays locked when the parent is killed and the child goes on.
    """

    def __init__(self, folder: Path) -> None:
        self.path = Path(folder).parent / f".{Path(folder).name}.lock"
        self.descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock without waiting; False when another process has it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except BaseException:
            os.close(descriptor)
            raise
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        self.descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lock back. The file stays: without it two processes could lock two different files."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def holder(self) -> str:
        """Who has the lock, for a message."""
        try:
            return self.path.read_text(encoding="utf-8").strip() or "another process"
        except OSError:
            return "another process"
