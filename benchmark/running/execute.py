"""The child process of one cell: the program ``benchmark.running.execute FOLDER/order.json [PROCESSES]``.

order.json says which cell (`benchmark.records.schema.Order`); config.py beside it is the task config after
overrides. The parent holds the cell's lock and collects what is printed in train.log.
"""

from __future__ import annotations

import logging
import math
import sys
import time
import traceback
from pathlib import Path

from benchmark.records.schema import Cost, Order, Record, environment, now
from benchmark.records.store import write_record
from benchmark.tasks import load_task
from benchmark.tasks.base import Outcome, TaskContext
from common import terminal
from common.configs import read_config
from common.errors import UserError, one_line
from common.files import replacing, tail
from common.machine import launched, peak_resident_bytes, world_size
from common.processes import program
from common.progress import ProgressFile, Report, silent
from common.training import group


def main(path: Path, processes: int = 1) -> int:
    """Compute a cell and write its record, whatever happens.

    With several processes this one starts them and waits: the first of them writes the record of what they
    found, this one that of a failure.

    Args:
        path: the order.
        processes: that compute the cell together.

    Returns:
        0 when it is done, 1 when it failed; 2 in one of several that found something for the user to mend.
    """
    terminal.prepare()  # the log is a file, in whatever encoding this process has
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    group.adopt()
    folder = Path(path).absolute().parent
    order = Order.model_validate_json(Path(path).read_text(encoding="utf-8"))
    report = ProgressFile(folder / "progress.json") if group.is_first() else silent
    started, start, images = now(), time.monotonic(), None
    # What an interrupted attempt took is not in the time of this one.
    resumed = any(folder.rglob("last_checkpoint"))
    print(f"=== {started} {order.command}", flush=True)
    try:
        if processes > 1 and not launched():
            _share(folder, path, processes)
            return 0
        outcome = _run(order, folder, report)
        if outcome is None:
            return 0
        result = {"status": "done", **vars(outcome)}
        images = result.pop("images")
        del result["per_image"]
    except Exception as error:  # any failure of a task becomes a row of the table
        if not Path(path).exists():
            return 0  # the first process has written its record: what follows is no part of it
        _print(error)
        if launched():  # who started the processes writes the record, of the one that is to blame
            return 2 if isinstance(error, UserError) else 1
        result = {"status": "failed", "error_type": type(error).__name__, "error": one_line(error)}
        result["log_tail"] = _tail(folder / "train.log")
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else None
    gpu = torch is not None and torch.cuda.is_available()
    result |= {
        "started": started,
        "finished": now(),
        "cost": Cost(
            seconds=round(time.monotonic() - start, 3),
            peak_memory_bytes=peak_resident_bytes(),
            peak_gpu_memory_bytes=torch.cuda.max_memory_allocated() if gpu else None,
            devices=world_size() * (1 if gpu else threads or 1) if images and not resumed else None,
            images=None if resumed else images,
        ),
        "environment": environment(threads, torch.cuda.get_device_name() if gpu else "cpu"),
    }
    record = Record.model_validate({**order.model_dump(), **result})
    write_record(folder, record)
    Path(path).unlink()
    (folder / "progress.json").unlink(missing_ok=True)
    return 0 if record.status == "done" else 1


def _share(folder: Path, path: Path, processes: int) -> None:
    """Compute the cell in several processes like this one."""
    from common.training.launch import launch

    command = program("benchmark.running.execute", str(path), str(processes))
    launch(command, processes, folder, printed=folder / "train.log")


def _run(order: Order, folder: Path, report: Report) -> Outcome | None:
    report("starting")
    context = TaskContext(
        cfg=read_config(folder / "config.py"),
        data=Path(order.data.path),
        out=folder,
        backbone=order.backbone.spec,
        seed=order.seed,
        report=report,
        results=folder.parents[3],
        further={entry.name: Path(entry.path) for entry in order.further},
    )
    outcome = load_task(order.task.type).run(context)
    if outcome is None:
        return None
    outcome.notes = [*context.cfg.get("notes", []), *outcome.notes]
    _check(outcome)
    if outcome.per_image is not None:
        with replacing(folder / "per_image.parquet") as temporary:
            outcome.per_image.to_parquet(temporary, index=False)
    return outcome


def _check(outcome: Outcome) -> None:
    for name in (outcome.primary, *outcome.also):
        if name not in outcome.metrics:
            raise KeyError(f"the task reports no metric called {name!r}")
    for name, metric in outcome.metrics.items():
        for value in (metric.value, metric.low, metric.high):
            if value is not None and not math.isfinite(value):
                raise FloatingPointError(f"metric {name} is {value}")


def _print(error: Exception) -> None:
    if isinstance(error, UserError):
        print(f"error: {one_line(error)}", file=sys.stderr, flush=True)
    else:
        traceback.print_exception(error)


def _tail(log: Path) -> list[str]:
    return tail(log) if log.exists() else []


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *map(int, sys.argv[2:])))
