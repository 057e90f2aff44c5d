"""How far a job is: told by whoever works, shown here, or passed on by a file that the parent reads."""

from __future__ import annotations

import json
import math
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Protocol

from common.errors import UserError
from common.files import read_json, write_text

TOO_MUCH_WAITING = 0.2
"""Share of a training's time from which waiting for data is worth a word."""


@dataclass
class Progress:
    """One state of a running job.

    Attributes:
        stage: what is being done, for instance ``features of train``.
        done, total: steps of this stage; a total of 0 means unknown.
        loss: the latest loss, where there is one.
        images_per_second: pace, where it says something.
        seconds_left: until the end of the stage, where it can be told.
        waiting_for_data: share of the time (0 to 1) that training waits for its next batch.
    """

    stage: str = "training"
    done: int = 0
    total: int = 0
    loss: float | None = None
    images_per_second: float | None = None
    seconds_left: float | None = None
    waiting_for_data: float | None = None

    def text(self) -> str:
        """One line for people: ``train 120/400, loss 1.84, 0:42 left``, and what to do about slow data."""
        parts = [f"{self.stage} {self.done}/{self.total}" if self.total else self.stage]
        if self.loss is not None:
            parts.append(f"loss {self.loss:.3f}")
        if self.images_per_second is not None:
            parts.append(f"{self.images_per_second:.0f} images/s")
        if self.seconds_left is not None:
            parts.append(f"{clock(self.seconds_left)} left")
        if self.waiting_for_data is not None and self.waiting_for_data > TOO_MUCH_WAITING:
            parts.append(f"{self.waiting_for_data:.0%} of the time waiting for data: raise num_workers")
        return ", ".join(parts)


class Report(Protocol):
    """Told how far a job is; cheap enough to be called at every step. Arguments as `Progress` has them."""

    def __call__(
        self,
        stage: str,
        done: int = 0,
        total: int = 0,
        loss: float | None = None,
        *,
        images_per_second: float | None = None,
        seconds_left: float | None = None,
        waiting_for_data: float | None = None,
    ) -> None: ...


def silent(
    stage: str, done: int = 0, total: int = 0, loss: float | None = None, **pace: float | None
) -> None:
    """The `Report` of a job that nobody watches."""


class ProgressFile:
    """A `Report` that writes to `path`, at most five times a second, and can work out the time left."""

    def __init__(self, path: Path, interval: float = 0.2) -> None:
        self.path = Path(path)
        self.interval = interval
        self._stage: str | None = None
        self._stage_start = self._written = 0.0

    def __call__(
        self,
        stage: str,
        done: int = 0,
        total: int = 0,
        loss: float | None = None,
        *,
        images_per_second: float | None = None,
        seconds_left: float | None = None,
        waiting_for_data: float | None = None,
    ) -> None:
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._stage_start = stage, now
        elif now - self._written < self.interval and done < total:
            return
        if seconds_left is None and done and total and now > self._stage_start:
            seconds_left = (now - self._stage_start) / done * (total - done)
        self._written = now
        finite = loss if loss is not None and math.isfinite(loss) else None
        state = Progress(stage, done, total, finite, images_per_second, seconds_left, waiting_for_data)
        with suppress(OSError, UserError):  # a full disk ends no training that has nothing to write
            write_text(self.path, json.dumps(asdict(state)))


def read_progress(path: Path) -> Progress | None:
    """The state a child last wrote; None when there is none, or a damaged one.

    Entries unknown to `Progress` are ignored.
    """
    values = read_json(path)
    if not isinstance(values, dict):
        return None
    known = {field.name: values[field.name] for field in fields(Progress) if field.name in values}
    numbers = [value for name, value in known.items() if name != "stage" and value is not None]
    sound = all(type(value) in (int, float) and math.isfinite(value) for value in numbers)
    counts = all(type(known.get(name, 0)) is int for name in ("done", "total"))
    return Progress(**known) if sound and counts and isinstance(known.get("stage", ""), str) else None


def clock(seconds: float) -> str:
    """Seconds as ``0:42``, ``12:05`` or ``3:04:05``."""
    minutes, second = divmod(round(max(seconds, 0)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
