"""A whole suite, from data to records."""

from __future__ import annotations

from benchmark.records.schema import Record
from benchmark.running import needs
from benchmark.running.cells import run_cells
from benchmark.running.console import Display
from benchmark.running.jobs import run_jobs
from benchmark.running.launchers.base import Launcher
from benchmark.running.preparation import check_data, prepare_suite
from benchmark.suites.cell import Cell
from benchmark.suites.suite import Suite
from benchmark.tasks import check_settings


def check_tasks(cells: list[Cell]) -> None:
    """Check the settings of what is left to run; whoever has nothing left waits for no import.

    Raises:
        UserError: one of them is wrong.
    """
    left = {id(cell.task): cell for cell in cells if not (cell.folder / "record.json").is_file()}
    for cell in left.values():
        check_settings(cell.task.cfg.task)


def run_suite(suite: Suite, launcher: Launcher, display: Display, retry_failed: bool = False) -> list[Record]:
    """Prepare, pre-train, transfer; whatever is finished already is not done again.

    Args:
        retry_failed: try again what failed before and has not changed since.

    Returns:
        One record per cell, those of the curve last, failed ones among them; none of cells that a partial
        suite left out.

    Raises:
        UserError: the suite cannot start (data missing, config wrong).
    """
    prepare_suite(suite, display)
    if not suite.partial:
        check_data(suite)
    check_tasks(suite.cells() + suite.curve_cells())
    blocked = {}
    if entries := [e for e in suite.pretrainings() if not (suite.partial and needs.of_pretraining(suite, e))]:
        from benchmark.running.pretraining import PretrainingJob

        jobs = [PretrainingJob(entry, suite.data[entry.data], display) for entry in entries]
        for entry, made in zip(entries, run_jobs(jobs, launcher, display, retry_failed), strict=True):
            if made.failure:
                reason = made.failure.error, made.failure.log_tail
                blocked |= dict.fromkeys((entry.backbone, *entry.kept.values()), reason)
    cells = suite.cells() + suite.curve_cells()
    if suite.partial:
        cells = [cell for cell in cells if not needs.of_cell(suite, cell)]
    return run_cells(cells, launcher, display, retry_failed, blocked)
