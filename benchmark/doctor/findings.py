"""What a check of the doctor is and what it finds."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from common import PROJECT
from common.errors import one_line

Status = Literal["ok", "warning", "error"]

REINSTALL = f"python -m pip install --editable {shlex.quote(str(PROJECT))}"
"""Brings whatever package is missing or of a wrong version."""


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        name: of the check.
        status: ``error`` where the suite cannot work, ``warning`` where it works but slowly or in part.
        message: one line.
        remedy: the one line that repairs it; empty where there is nothing to repair.
        seconds: that the check took.
    """

    name: str
    status: Status
    message: str
    remedy: str
    seconds: float = 0.0


def ok(message: str) -> Finding:
    """Nothing to repair."""
    return Finding("", "ok", message, "")


def warning(message: str, remedy: str) -> Finding:
    """The suite works, but not as well as it could."""
    return Finding("", "warning", message, remedy)


def error(message: str, remedy: str) -> Finding:
    """The suite, or a part of it, cannot work."""
    return Finding("", "error", message, remedy)


@dataclass(frozen=True)
class Check:
    """One thing to look at.

    Attributes:
        name: in the table.
        examine: looks; its finding needs no name.
        remedy: for the case that `examine` itself breaks down.
    """

    name: str
    examine: Callable[[], Finding]
    remedy: str

    def run(self) -> Finding:
        """Look, and say how long it took. A breakdown of any kind is an error that was found."""
        start = time.perf_counter()
        try:
            found = self.examine()
        except (Exception, SystemExit) as problem:  # some modules leave by sys.exit when imported
            remedy = REINSTALL if isinstance(problem, ModuleNotFoundError) else self.remedy
            found = error(f"{type(problem).__name__}: {one_line(problem)}", remedy)
        return replace(found, name=self.name, seconds=round(time.perf_counter() - start, 3))
