"""What starts the processes of jobs: here, or on a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Handle(Protocol):
    """A process that was started, or is waiting to be."""

    def poll(self) -> int | None:
        """Exit code once it has ended (negative: killed by that signal), else None."""

    def stop(self, grace: float = 10.0) -> None:
        """End it and what it started; `grace` seconds after having asked it to, by force."""

    def tail(self, lines: int = 20) -> list[str]:
        """The last lines it printed."""

    def ending(self) -> str:
        """How it ended, in words."""


class Launcher(Protocol):
    """Starts processes.

    Attributes:
        slots: how many may run at once; the caller counts.
    """

    slots: int

    def start(self, command: list[str], log: Path, keep: int | None = None, alone: bool = False) -> Handle:
        """Start one process.

        Args:
            command: program and arguments.
            log: file that what it prints is appended to.
            keep: a file descriptor for it to inherit, where that is possible: the lock of its folder.
            alone: it has the whole machine, whatever `slots` says.
        """
