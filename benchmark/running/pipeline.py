"""A whole suite, from data to records."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from benchmark.records.schema import Record
from benchmark.records.store import CellLock
from benchmark.running.cells import run_cells
from benchmark.running.console import Display
from benchmark.running.launchers.local import LocalLauncher, ending
from benchmark.running.preparation import check_data, prepare_suite
from benchmark.suites.suite import Pretraining, Suite
from common import PROJECT
from common.configs import override_words
from common.files import read_json, write_json
from common.progress import read_progress
from pretraining.folder import PROGRESS


def run_suite(
    suite: Suite, launcher: LocalLauncher, display: Display, retry_failed: bool = False
) -> list[Record]:
    """Prepare, pre-train, transfer; whatever is finished already is not done again.

    Args:
        retry_failed: try again what failed before and has not changed since.

    Returns:
        One record per cell, failed ones among them.

    Raises:
        UserError: the suite cannot start (data missing, config wrong).
    """
    prepare_suite(suite, display)
    check_data(suite)
    blocked = {}
    for entry in suite.pretrainings():
        if failure := pretrain(entry, suite, launcher, display, retry_failed):
            blocked[entry.backbone] = failure
    return run_cells(suite.cells(), launcher, display, retry_failed, blocked)


def pretrain(
    entry: Pretraining, suite: Suite, launcher: LocalLauncher, display: Display, retry_failed: bool
) -> tuple[str, list[str]] | None:
    """Pre-train one backbone in a child process, unless that is done.

    Pre-trainings run one after the other, whatever the launcher could do at once: what they cost is measured.

    Returns:
        None on success; otherwise what went wrong and the last lines of the log.
    """
    from pretraining.recipe import fingerprint, finished, load_recipe

    data = {"pairs": suite.data["pairs"]}
    label = f"pre-train {entry.name}"
    lock = CellLock(entry.out)
    told = False
    while not lock.acquire():
        if not told:
            display.line(f"{label}: {lock.holder()} is at it, waiting")
            told = True
        time.sleep(0.5)
    try:
        if finished(entry.config, entry.out, data, entry.overrides):
            return None
        note = entry.out / "failed.json"
        mark = fingerprint(load_recipe(entry.config, entry.overrides), data["pairs"])
        failure = read_json(note)
        if failure and failure.get("fingerprint") == mark and not retry_failed:
            return failure["error"], failure["log_tail"]
        note.unlink(missing_ok=True)
        job = display.job(label)
        (entry.out / PROGRESS).unlink(missing_ok=True)
        child = launcher.start(_command(entry, data), entry.out / "train.log", lock.descriptor, alone=True)
        try:
            while (code := child.poll()) is None:
                job.update(read_progress(entry.out / PROGRESS))
                time.sleep(0.1)
        finally:
            child.stop()
            job.drop()
        if code == 0 and finished(entry.config, entry.out, data, entry.overrides):
            job.finish("done")
            return None
        tail = child.tail()
        reason = tail[-1].removeprefix("error: ") if tail and code > 0 else ending(code)
        error = f"pre-training {entry.name} failed: {reason} (log: {entry.out / 'train.log'})"
        write_json(note, {"fingerprint": mark, "error": error, "log_tail": tail})
        job.finish(f"FAILED: {reason}")
        return error, tail
    finally:
        lock.release()


def _command(entry: Pretraining, data: dict[str, Path]) -> list[str]:
    command = [sys.executable, str(PROJECT / "run_suite.py"), "pretrain", str(entry.config)]
    command += ["--out", str(entry.out)]
    for name, path in data.items():
        command += ["--data", f"{name}={path}"]
    return command + override_words(entry.overrides)
