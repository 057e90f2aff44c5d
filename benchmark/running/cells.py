"""The job of a cell: its order goes to a child process, a record comes back."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmark import tasks
from benchmark.records.schema import BackboneInfo, DataInfo, Order, Record, TaskInfo, environment, now
from benchmark.records.store import kept_aside, read_record, set_aside, take_back, write_record
from benchmark.running.console import Display
from benchmark.running.jobs import Job, run_jobs
from benchmark.running.launchers.base import Handle, Launcher
from benchmark.suites.cell import Cell, shown
from benchmark.suites.fingerprint import newest_change
from common.digest import digest
from common.errors import UserError
from common.files import write_text
from common.processes import program

UNKNOWN = "unknown"
"""Stands for the fingerprint of a cell whose backbone is missing."""

Blocked = dict[str, tuple[str, list[str]]]
"""Backbones that could not be made: backbone -> (reason, last log lines)."""


def run_cells(
    cells: list[Cell],
    launcher: Launcher,
    display: Display,
    retry_failed: bool = False,
    blocked: Blocked | None = None,
    processes: int = 1,
) -> list[Record]:
    """Bring every cell to a record; see `run_jobs`.

    Args:
        blocked: backbones whose cells fail at once.
        processes: that compute each cell together.
    """
    jobs = [CellJob(cell, display, blocked or {}, processes) for cell in cells]
    records = run_jobs(jobs, launcher, display, retry_failed)
    for note in older_than_data(cells, records):
        display.line(note)
    return records


def older_than_data(cells: list[Cell], records: list[Record]) -> list[str]:
    """A line for each data set in which something changed since numbers were measured on it.

    Their fingerprints are of names, sizes and annotations: pictures replaced by others of the same size leave
    them as they are, and so does a copy of the same pictures.
    """
    finished: dict[Path, list[str]] = {}
    for cell, record in zip(cells, records, strict=True):
        if record.status == "done":
            for data in (cell.data, *(place for _, place in cell.further)):
                finished.setdefault(data, []).append(record.finished)
    lines = []
    for data, times in finished.items():
        # records know whole seconds
        changed = datetime.fromtimestamp(newest_change(data) - 1, tz=timezone.utc).isoformat()
        if older := sum(time < changed for time in times):
            lines.append(
                f"note: something in {data} changed at {changed[:16]} UTC, after {older} of {len(times)} "
                "numbers were measured on it; names, sizes and annotations are the same, pictures were not "
                "compared: remove the cells' folders to measure again"
            )
    return lines


class CellJob(Job[Record]):
    """One cell.

    Args:
        cell: what is to be computed.
        display: where a cell that cannot even start is told.
        blocked: backbones that could not be made.
        processes: that compute it together.
    """

    def __init__(self, cell: Cell, display: Display, blocked: Blocked, processes: int = 1) -> None:
        self.cell = cell
        self.label = cell.label
        self.folder = cell.folder
        self.progress = cell.folder / "progress.json"
        self._display = display
        self._blocked = blocked
        self._processes = processes
        self._order: Order | None = None

    def known(self, retry_failed: bool) -> Record | None:
        from backbones import catalog

        backbone = self.cell.backbone
        try:
            if backbone in self._blocked:
                raise UserError(self._blocked[backbone][0])
            self._order = _order(self.cell, self.cell.identity())
            record = read_record(self.folder)
            same = record is not None and record.fingerprint == self._order.fingerprint
            if same and (record.status == "done" or not retry_failed):
                return record
            if record := take_back(self.folder, self._order.fingerprint):
                self._display.line(f"{self.label}: {self.text(record)}, taken back from earlier results")
                return record
            catalog.ready(backbone)
        except UserError as error:
            _, tail = self._blocked.get(backbone, ("", []))
            return self._failed_to_start(type(error).__name__, str(error), tail)
        return None

    def order(self) -> list[str]:
        set_aside(self.folder, self._order.fingerprint)
        with suppress(FileNotFoundError):
            (self.folder / "record.json").unlink()
        write_text(self.folder / "config.py", self.cell.task.cfg.pretty_text)
        if warning := self.cell.task.warning:
            self._display.line(f"{self.label}: warning: {warning}")
        order = self.folder / "order.json"
        write_text(order, self._order.model_dump_json(indent=2) + "\n")
        return program("benchmark.running.execute", str(order), str(self._processes))

    def finish(self, child: Handle, code: int) -> Record:
        record = read_record(self.folder)
        if record is None:
            kind = "Killed" if code < 0 else "Died"
            record = _failure(self._order, kind, child.ending(), child.tail())
            record.environment = environment()
            write_record(self.folder, record)
            self.progress.unlink(missing_ok=True)
        return self._offering(record)

    def text(self, result: Record) -> str:
        return outcome_text(result)

    def _failed_to_start(self, kind: str, message: str, tail: list[str]) -> Record:
        """Record a cell that could not even start, unless that very failure is on record already."""
        known = read_record(self.folder)
        if known and known.fingerprint is None and (known.error or "").startswith(message):
            return known
        record = _failure(_order(self.cell, None), kind, message, tail)
        set_aside(self.folder, UNKNOWN)
        write_record(self.folder, record)
        record = self._offering(record)
        self._display.line(f"{self.label}: {self.text(record)}")
        return record

    def _offering(self, record: Record) -> Record:
        """The same record; of a failure in the place of a finished result it says where that is kept."""
        if record.status == "done" or (kept := kept_aside(self.folder)) is None:
            return record
        offer = f"the result of before is kept in {kept}, and comes back once data and config are those of it"
        record = record.model_copy(update={"error": f"{record.error} ({offer})"})
        write_record(self.folder, record)
        return record


def _order(cell: Cell, identity: dict[str, Any] | None) -> Order:
    """What the child is told; without an identity only to say which cell could not start."""
    from backbones import catalog

    known = identity or {"backbone": None, "data": None}
    return Order(
        suite=cell.suite,
        backbone=BackboneInfo(
            name=cell.name,
            spec=cell.backbone,
            digest=known["backbone"],
            description=catalog.describe(cell.backbone).to_dict() if identity else {},
        ),
        task=TaskInfo(
            name=cell.task.name,
            type=cell.task.type,
            config=shown(cell.task.path),
            config_digest=cell.task.config_digest(),
            protocol=tasks.task_type(cell.task.type).protocol,
            axes=cell.task.axes,
        ),
        data=_data(cell.task.data_name, cell.data, known["data"]),
        further=[_data(name, place, known.get("further", {}).get(name)) for name, place in cell.further],
        seed=cell.seed,
        pretraining_seed=cell.pretraining_seed,
        pretraining_samples=cell.pretraining_samples,
        fingerprint=digest(identity) if identity else None,
        command=cell.command,
    )


def _data(name: str, place: Path, digest: str | None) -> DataInfo:
    return DataInfo(name=name, path=str(Path(place).absolute()), digest=digest)


def _failure(order: Order, kind: str, message: str, tail: list[str]) -> Record:
    """The record of a cell that cannot tell its failure itself."""
    ended = {"started": now(), "finished": now()}
    return Record(
        **order.model_dump(), status="failed", **ended, error_type=kind, error=message, log_tail=tail
    )


def outcome_text(record: Record) -> str:
    """A record in a few words: its headline, or what went wrong."""
    if record.status == "failed":
        return f"FAILED: {' '.join((record.error or 'unknown error').splitlines()[:1])}"
    metric = record.headline
    interval = f" [{metric.low:.1f}, {metric.high:.1f}]" if metric.low is not None else ""
    return f"{record.primary} {metric.value:.1f}{interval}"
