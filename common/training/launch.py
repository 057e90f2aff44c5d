"""Starting the processes that train together on this machine: one per device, by torch's elastic launcher."""

from __future__ import annotations

import logging
import os
import platform
import re
import signal
import uuid
from collections.abc import Iterable
from pathlib import Path

from common.errors import JobFailed, UserError
from common.files import tail
from common.machine import cores, cores_with_memory
from common.training.group import LAUNCHER

_SHUTDOWN = 10
"""Seconds that processes have to end when this one is told to stop, before they are killed."""

_MEMORY = 3 << 30
"""Bytes that a process may take where nothing better is known: twice what the demo's takes."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
"""What asks this process to stop, and is handed on."""

_ORPHANED = re.compile(r"connection (reset|closed|refused)|broken pipe|gloo|nccl|tcpstore", re.IGNORECASE)
"""What a process says whose partner has died; the partner is to blame."""


def devices() -> int:
    """How many processes this machine has a device for: a GPU each, or where there is none, a core each.

    Not more of these than memory has room for; and one where torch trains on a device that cannot be shared.
    """
    import torch

    if torch.cuda.is_available():
        return torch.cuda.device_count()
    if torch.backends.mps.is_available():
        return 1
    return cores_with_memory(_MEMORY)


def default_processes(batch_size: int) -> int:
    """As many processes as there are devices, if a batch can be dealt to them evenly; else fewer."""
    return max(count for count in range(1, min(devices(), batch_size) + 1) if batch_size % count == 0)


def launch(command: list[str], processes: int, logs: Path, printed: Path | None = None) -> None:
    """Run a command in several processes that train together, and wait for them.

    Each finds torchrun's variables in its environment (`common.training.group`). When one dies, the others
    are ended.

    Args:
        command: program and arguments, the same for all.
        processes: how many; each has its share of the cores.
        logs: existing folder for ``rank0.out``, ``rank0.err`` and so on: what they print.
        printed: the file that this process prints into, if the first one is to print there, too.

    Raises:
        UserError: the processes found something for the user to mend.
        JobFailed: a process died otherwise; the message names its rank, its host and its last line.
        KeyboardInterrupt: this process was asked to stop; so were the others.
    """
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    for name in ("torch.distributed.elastic", "torch.distributed.launcher"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what went wrong is told below, in one line
    before = dict(os.environ)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // processes)))
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", str(_SHUTDOWN))
    os.environ[LAUNCHER] = str(os.getpid())
    kept = range(0 if printed is None else 1, processes)
    files = {number: (logs / f"rank{number}.out", logs / f"rank{number}.err") for number in kept}
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        local_addr="localhost",
        max_restarts=0,
        logs_specs=_to_files(files),
        # nohup makes a process ignore SIGHUP; that wish is respected
        signals_to_handle=",".join(s.name for s in _SIGNALS if signal.getsignal(s) is not signal.SIG_IGN),
    )
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        elastic_launch(config, command[0])(*command[1:])
    except ChildFailedError as error:
        failed = {number: failure.exitcode for number, failure in error.failures.items()}
        raise _explained(failed, files if printed is None else {0: (printed,), **files}) from None
    except SignalException:
        raise KeyboardInterrupt from None
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler or signal.SIG_DFL)
        os.environ.clear()
        os.environ.update(before)


Files = dict[int, tuple[Path, ...]]
"""Where processes print: first to standard output, last to standard error."""


def _to_files(files: Files):
    """What the launcher wants to know of logs: whoever has no files prints where this process does."""
    from torch.distributed.elastic.multiprocessing.api import LogsDest, LogsSpecs

    class ToFiles(LogsSpecs):
        root_log_dir = os.devnull

        def reify(self, envs: dict[int, dict[str, str]]) -> LogsDest:
            out, err = (
                {number: str(files[number][kind]) if number in files else "" for number in envs}
                for kind in (0, 1)
            )
            return LogsDest(out, err, {}, {}, dict.fromkeys(envs, os.devnull), os.devnull, os.devnull)

    return ToFiles()


def _explained(failed: dict[int, int], files: Files) -> UserError | JobFailed:
    """The failure to blame, of several: the others lost their partner, or were ended because of it.

    Args:
        failed: exit codes by rank.
        files: where the processes have printed.
    """
    said = {number: _last_line(files.get(number, ()), failed[number]) for number in failed}

    def innocence(number: int) -> tuple[bool, bool, bool, bool, int]:
        code = failed[number]
        orphaned = bool(_ORPHANED.search(said[number]))
        # SIGABRT is how a process ends that waited for another one in vain
        return code == -signal.SIGTERM, code == -signal.SIGABRT, code >= 0, orphaned, number

    number = min(failed, key=innocence)
    code = failed[number]
    if said[number] and (code == 2 or (code == -signal.SIGABRT and said[number].startswith("error: "))):
        return UserError(said[number].removeprefix("error: "))
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    told = f"; its last line: {said[number]}" if said[number] else ""
    log = f" (log: {files[number][-1]})" if number in files else ""
    return JobFailed(f"process {number} on {platform.node()} {how}{told}{log}")


def _last_line(files: Iterable[Path], code: int) -> str:
    """What was last said of errors, else what was last printed; of an error of the user, the error.

    A process that ends because of an error may be aborted in leaving the others: the error counts.
    """
    lines = [line.strip() for file in files if file.exists() for line in tail(file)]
    lines = [line for line in lines if not line.startswith("terminate called")]
    errors = [line for line in lines if line.startswith("error: ")] if code in (2, -signal.SIGABRT) else []
    return (errors or lines or [""])[-1]
