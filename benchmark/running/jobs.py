"""Running jobs: what is done is reused, the rest is made in child processes, failures are kept."""

from __future__ import annotations

import abc
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from benchmark.running.console import Display, Line
from benchmark.running.launchers.base import Handle, Launcher
from common.locks import FolderLock
from common.progress import read_progress

POLL = 0.1
"""Seconds between two looks at the running children."""

Result = TypeVar("Result")


class Job(abc.ABC, Generic[Result]):
    """What one child process makes in one folder: a pre-training, a cell.

    Attributes:
        label: for people.
        folder: that the child fills; it is locked while it does.
        progress: file that the child tells its progress in.
        alone: nothing else runs beside it, because what it costs is measured.
    """

    label: str
    folder: Path
    progress: Path
    alone: bool = False

    @abc.abstractmethod
    def known(self, retry_failed: bool) -> Result | None:
        """The result that is there already, or the failure to start; None when there is work to do.

        Args:
            retry_failed: a failure of an earlier attempt is no result.
        """

    @abc.abstractmethod
    def order(self) -> list[str]:
        """Write down what is to be made, in a folder that is ready for it, and return the child's command."""

    @abc.abstractmethod
    def finish(self, child: Handle, code: int) -> Result:
        """The result once the child has ended; what it could not write itself is written here."""

    @abc.abstractmethod
    def text(self, result: Result) -> str:
        """A result in a few words."""


@dataclass
class _Running(Generic[Result]):
    job: Job[Result]
    lock: FolderLock
    child: Handle
    line: Line


def run_jobs(
    jobs: Sequence[Job[Result]], launcher: Launcher, display: Display, retry_failed: bool = False
) -> list[Result]:
    """Bring every job to a result, running only what is not there yet.

    Jobs that another process is at are left to it, and its results are used. On Ctrl-C the children are
    stopped; results written so far stay.

    Args:
        retry_failed: run again what failed before.

    Returns:
        One result per job, in their order.
    """
    queue, running = deque(enumerate(jobs)), {}
    results: dict[int, Result] = {}
    told: set[int] = set()
    try:
        while queue or running:
            for _ in range(len(queue)):
                if not _has_room(queue[0][1], [attempt.job for attempt in running.values()], launcher):
                    break
                index, job = queue.popleft()
                lock = FolderLock(job.folder)
                if not lock.acquire():
                    if index not in told:
                        display.line(f"{job.label}: {lock.holder()} is at it, waiting for its result")
                        told.add(index)
                    queue.append((index, job))
                    continue
                # What somebody else has just failed at is not tried again in the same breath.
                started = _start(job, lock, launcher, display, retry_failed and index not in told)
                if isinstance(started, _Running):
                    running[index] = started
                else:
                    results[index] = started
            for index, attempt in list(running.items()):
                code = attempt.child.poll()
                if code is None:
                    attempt.line.update(read_progress(attempt.job.progress))
                else:
                    results[index] = _finish(attempt, code)
                    del running[index]
            if queue or running:
                time.sleep(POLL)
    finally:
        for attempt in running.values():
            attempt.child.stop()
            attempt.lock.release()
            attempt.line.drop()
    return [results[index] for index in range(len(jobs))]


def _has_room(job: Job, running: list[Job], launcher: Launcher) -> bool:
    if job.alone or any(other.alone for other in running):
        return not running
    return len(running) < launcher.slots


def _start(
    job: Job[Result], lock: FolderLock, launcher: Launcher, display: Display, retry_failed: bool
) -> _Running[Result] | Result:
    """Take a job's result or start its child. Releases the lock unless a child was started."""
    with ExitStack() as stack:
        stack.callback(lock.release)
        result = job.known(retry_failed)
        if result is not None:
            return result
        command = job.order()
        job.progress.unlink(missing_ok=True)  # an earlier attempt's
        child = launcher.start(command, job.folder / "train.log", lock.descriptor, job.alone)
        stack.pop_all()
    return _Running(job, lock, child, display.job(job.label))


def _finish(attempt: _Running[Result], code: int) -> Result:
    try:
        result = attempt.job.finish(attempt.child, code)
    finally:
        attempt.lock.release()
    attempt.line.finish(attempt.job.text(result))
    return result
