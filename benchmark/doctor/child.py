"""The risky checks in a process of their own: a module that hangs or crashes when imported ends that alone.

The program ``benchmark.doctor.child FILE`` runs `benchmark.doctor.stack.CHECKS` and appends to FILE one line
of JSON when a check begins (its name) and one when it has ended (the finding).
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

from benchmark.doctor import stack
from benchmark.doctor.findings import Check, Finding
from benchmark.running.launchers.local import Child
from common.processes import program

_LONGEST = 10  # times `patience`, whatever the disk does
_POLL = 0.05


def main(path: Path) -> int:
    """Run the checks; those after the first make no sense without it."""
    import faulthandler

    faulthandler.enable()
    with Path(path).open("a", encoding="utf-8") as file:
        for check in stack.CHECKS:
            print(json.dumps(check.name), file=file, flush=True)
            found = check.run()
            print(json.dumps(asdict(found)), file=file, flush=True)
            if check is stack.CHECKS[0] and found.status == "error":
                break
    return 0


class StackChecks:
    """The checks of the stack, running in a child process while the block goes on.

    Args:
        patience: seconds without a result, and without reading from the disk, after which the child counts as
            hanging. The first import of PyTorch after a restart reads gigabytes: that is slow, not broken.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience

    def __enter__(self) -> StackChecks:
        self._folder = tempfile.TemporaryDirectory(prefix="doctor.")
        self._lines = Path(self._folder.name) / "findings.jsonl"
        self._lines.touch()
        command = program("benchmark.doctor.child", str(self._lines))
        self._child = Child(command, Path(self._folder.name) / "child.log")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.stop(grace=0.5)
        self._folder.cleanup()

    def findings(self) -> list[Finding]:
        """Wait, and give one finding for every check of the stack, whatever became of the child."""
        start = time.monotonic()
        reason = self._wait(start)
        begun, done = [], {}
        for line in self._lines.read_text(encoding="utf-8").splitlines():
            with suppress(ValueError):  # cut off when the child was killed
                content = json.loads(line)
                if isinstance(content, str):
                    begun.append(content)
                else:
                    done[content["name"]] = Finding(**content)
        elapsed = round(time.monotonic() - start, 3)
        last = stack.CHECKS[0].name if not begun else begun[-1]
        return [
            done.get(check.name) or _unfinished(check, check.name == last, last, reason, elapsed)
            for check in stack.CHECKS
        ]

    def _wait(self, start: float) -> str:
        """Wait for the child's end and say in words how it ended."""
        sign, seen = start, None
        while self._child.poll() is None:
            now = time.monotonic()
            state = (self._lines.stat().st_size, _bytes_read(self._child.process.pid))
            if state != seen:
                sign, seen = now, state
            if now - sign > self._patience or now - start > _LONGEST * self._patience:
                self._child.stop(grace=0.5)
                return f"no sign of life for {now - sign:.0f} s"
            time.sleep(_POLL)
        return ": ".join([self._child.ending(), *self._child.tail(1)])


def _unfinished(check: Check, guilty: bool, last: str, reason: str, seconds: float) -> Finding:
    if guilty:
        return Finding(check.name, "error", reason, check.remedy, seconds)
    return Finding(check.name, "warning", f"not looked at, because {last} failed", f"repair {last} first")


def _bytes_read(process: int) -> int | None:
    """Bytes the process has had read from the disk; None where the system does not tell."""
    with suppress(OSError, StopIteration, ValueError):
        lines = Path(f"/proc/{process}/io").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("read_bytes:")).split()[1])
    return None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
