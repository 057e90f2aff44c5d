"""Child processes on this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

from common import PROJECT
from common.files import tail
from common.machine import cores, cores_with_memory


class Child:
    """A running child process, its own process group, everything it prints appended to a log.

    Args:
        command: program and arguments.
        log: file that receives stdout and stderr; earlier attempts in it are kept.
        slots: how many children share this machine; the processor's cores are divided by it.
        keep: a file descriptor the child inherits (a `FolderLock`'s).
    """

    def __init__(self, command: list[str], log: Path, slots: int = 1, keep: int | None = None) -> None:
        self.log = Path(log)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as file:
            self._log_start = file.tell()
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=_environment(slots),
                start_new_session=True,
                pass_fds=() if keep is None else (keep,),
            )

    def poll(self) -> int | None:
        """Exit code once the child has ended (negative: killed by that signal), else None."""
        ended_before = self.process.returncode is not None
        code = self.process.poll()
        if code is not None and not ended_before:
            self._signal(signal.SIGKILL)  # whatever the child itself started and left behind
        return code

    def stop(self, grace: float = 10.0) -> None:
        """End the child and what it started: SIGTERM, and after `grace` seconds SIGKILL."""
        if self.poll() is not None:
            return
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(grace)
        self._signal(signal.SIGKILL)
        self.process.wait()

    def tail(self, lines: int = 20) -> list[str]:
        """The last lines this child printed."""
        return tail(self.log, lines, self._log_start)

    def ending(self) -> str:
        """How this child ended, in words."""
        code = self.process.returncode
        if code is None:
            return "the process is running"
        if code >= 0:
            return f"the process ended with exit code {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        hint = " (out of memory?)" if -code == signal.SIGKILL else ""
        return f"the process was killed by {name}{hint}"

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)


MEMORY_OF_A_CELL = 3 << 30


class LocalLauncher:
    """Starts children here, at most `slots` at once (the caller counts)."""

    def __init__(self, slots: int = 1) -> None:
        self.slots = slots

    def start(self, command: list[str], log: Path, keep: int | None = None, alone: bool = False) -> Child:
        """Start one child; see `Child`. With `alone` it has the whole machine."""
        return Child(command, log, 1 if alone else self.slots, keep)


def default_slots() -> int:
    """How many cells to run at once when nobody says: one where there is a GPU, else one per core up to four.

    The models that a CPU can train gain little from a second core, and two of them gain all of it. Each has
    room for twice the memory that the demo's cells take.
    """
    if any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/kfd").exists():
        return 1
    return min(4, cores_with_memory(MEMORY_OF_A_CELL))


def _environment(slots: int) -> dict[str, str]:
    environment = dict(os.environ)
    paths = [str(PROJECT), *filter(None, [environment.get("PYTHONPATH")])]
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    environment["PYTHONUNBUFFERED"] = "1"
    if slots > 1:
        environment.setdefault("OMP_NUM_THREADS", str(max(1, cores() // slots)))
    return environment
