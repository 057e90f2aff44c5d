"""Running cells: what is done is reused, the rest is computed in child processes, failures become records."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark import tasks
from benchmark.records.schema import BackboneInfo, DataInfo, Record, TaskInfo, environment, now
from benchmark.records.store import CellLock, read_record, set_aside, write_record
from benchmark.running.console import Display, Job
from benchmark.running.launchers.local import Child, LocalLauncher, ending
from benchmark.suites.suite import Cell, shown
from common.digest import digest
from common.errors import UserError
from common.files import write_text
from common.progress import read_progress

POLL = 0.1
"""Seconds between two looks at the running children."""

UNKNOWN = "unknown"
"""Stands for the fingerprint of a cell whose backbone is missing."""


@dataclass
class _Running:
    cell: Cell
    planned: Record
    lock: CellLock
    child: Child
    job: Job


def run_cells(
    cells: list[Cell],
    launcher: LocalLauncher,
    display: Display,
    retry_failed: bool = False,
    blocked: dict[str, tuple[str, list[str]]] | None = None,
) -> list[Record]:
    """Bring every cell to a record, computing only what is not there yet.

    Cells that another process is computing are left to it, and its records are used. On Ctrl-C the children
    are stopped; records written so far stay.

    Args:
        retry_failed: compute cells again that failed before with the same fingerprint.
        blocked: backbones that could not be made: spec -> (reason, last log lines).

    Returns:
        One record per cell, in the order of the cells.
    """
    queue, running = deque(enumerate(cells)), {}
    results: dict[int, Record] = {}
    told: set[int] = set()
    try:
        while queue or running:
            for _ in range(len(queue)):
                if len(running) >= launcher.slots:
                    break
                index, cell = queue.popleft()
                lock = CellLock(cell.folder)
                if not lock.acquire():
                    if index not in told:
                        display.line(f"{cell.label}: {lock.holder()} is computing it, waiting for its result")
                        told.add(index)
                    queue.append((index, cell))
                    continue
                # A cell that somebody else has just failed at is not tried again in the same breath.
                started = _start(
                    cell, lock, launcher, display, retry_failed and index not in told, blocked or {}
                )
                if isinstance(started, Record):
                    results[index] = started
                else:
                    running[index] = started
            for index, attempt in list(running.items()):
                code = attempt.child.poll()
                if code is None:
                    attempt.job.update(read_progress(attempt.cell.folder / "progress.json"))
                else:
                    results[index] = _finish(attempt, code)
                    del running[index]
            if queue or running:
                time.sleep(POLL)
    finally:
        for attempt in running.values():
            attempt.child.stop()
            attempt.lock.release()
            attempt.job.drop()
    return [results[index] for index in range(len(cells))]


def _start(
    cell: Cell,
    lock: CellLock,
    launcher: LocalLauncher,
    display: Display,
    retry_failed: bool,
    blocked: dict[str, tuple[str, list[str]]],
) -> _Running | Record:
    """Reuse a cell's record or start its child. Releases the lock unless a child was started."""
    with contextlib.ExitStack() as stack:
        stack.callback(lock.release)
        from backbones import catalog

        try:
            if cell.spec in blocked:
                raise UserError(blocked[cell.spec][0])
            identity = cell.identity()
            fingerprint = digest(identity)
            record = read_record(cell.folder)
            if record and record.fingerprint == fingerprint and (record.status == "done" or not retry_failed):
                return record
            catalog.ready(cell.spec)
        except UserError as error:
            tail = blocked.get(cell.spec, ("", []))[1]
            return _fail(cell, _planned(cell, None), type(error).__name__, str(error), tail, display)
        set_aside(cell.folder, fingerprint)
        planned = _planned(cell, identity)
        with contextlib.suppress(FileNotFoundError):
            (cell.folder / "record.json").unlink()
        write_text(cell.folder / "config.py", cell.task.cfg.pretty_text)
        write_text(cell.folder / "cell.json", planned.model_dump_json(indent=2) + "\n")
        command = [sys.executable, "-m", "benchmark.running.execute", str(cell.folder / "cell.json")]
        child = launcher.start(command, cell.folder / "train.log", keep=lock.descriptor)
        stack.pop_all()
    return _Running(cell, planned, lock, child, display.job(cell.label))


def _finish(attempt: _Running, code: int) -> Record:
    """The record of a cell whose child has ended; written here when the child could not write one."""
    folder = attempt.cell.folder
    record = read_record(folder)
    if record is None:
        update = {"error_type": "Killed" if code < 0 else "Died", "error": ending(code), "finished": now()}
        record = attempt.planned.model_copy(
            update={**update, "log_tail": attempt.child.tail(), "environment": environment()}
        )
        write_record(folder, record)
        (folder / "progress.json").unlink(missing_ok=True)
    attempt.lock.release()
    attempt.job.finish(outcome_text(record))
    return record


def _fail(cell: Cell, planned: Record, kind: str, message: str, tail: list[str], display: Display) -> Record:
    """Record a cell that could not even start, unless that very failure is on record already."""
    known = read_record(cell.folder)
    if known and known.fingerprint is None and known.error == message:
        return known
    record = planned.model_copy(update={"error_type": kind, "error": message, "log_tail": tail})
    set_aside(cell.folder, UNKNOWN)
    write_record(cell.folder, record)
    display.line(f"{cell.label}: {outcome_text(record)}")
    return record


def _planned(cell: Cell, identity: dict[str, Any] | None) -> Record:
    """The record of a cell before it ran: a failure, until the child replaces it."""
    from backbones import catalog

    known = identity or {"backbone": None, "data": None}
    return Record(
        status="failed",
        suite=cell.suite,
        backbone=BackboneInfo(
            name=cell.backbone,
            spec=cell.spec,
            digest=known["backbone"],
            description=catalog.describe(cell.spec).to_dict() if identity else {},
        ),
        task=TaskInfo(
            name=cell.task.name,
            type=cell.task.type,
            config=shown(cell.task.path),
            config_digest=cell.task.config_digest(),
            protocol=tasks.task_type(cell.task.type).protocol,
        ),
        data=DataInfo(name=cell.task.data_name, path=str(Path(cell.data).absolute()), digest=known["data"]),
        seed=cell.seed,
        pretraining_seed=cell.pretraining_seed,
        fingerprint=digest(identity) if identity else None,
        command=cell.command,
        started=now(),
        finished=now(),
        error_type="Unfinished",
        error="the cell has not finished",
    )


def outcome_text(record: Record) -> str:
    """A record in a few words: its headline, or what went wrong."""
    if record.status == "failed":
        first = (record.error or "unknown error").splitlines()[0]
        return f"FAILED: {first}"
    metric = record.headline
    interval = f" [{metric.low:.1f}, {metric.high:.1f}]" if metric.low is not None else ""
    return f"{record.primary} {metric.value:.1f}{interval}"
