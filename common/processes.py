"""Work on every core: one pool of processes for whoever has many independent jobs."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from common.errors import UserError
from common.machine import cores

_SAFE_PATH = "PYTHONSAFEPATH"
Job = TypeVar("Job")
Result = TypeVar("Result")


_PROGRAM = (
    "import sys; sys.path[:] = filter(None, sys.path); import runpy; "
    "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)


def program(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of the project as ``python -m`` does, from any folder.

    With ``-m`` the current folder would come first among those that modules are imported from: a ``numpy.py``
    that lies there would be run.
    """
    return [sys.executable, "-c", _PROGRAM, module, *arguments]


@contextmanager
def _starting_from_nowhere() -> Iterator[None]:
    """Keep processes that start in the block from importing what lies in the current folder.

    Those of a pool find their way to the modules of their parent afterwards. Before 3.11 Python does not
    listen: there a planted module of the standard library's own (``socket.py``) would still be run.
    """
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        del os.environ[_SAFE_PATH]
        if before is not None:
            os.environ[_SAFE_PATH] = before


class Workers:
    """A pool of processes, started at the first use; a context manager.

    Args:
        count: processes; 1 works in this process. Default: one per available core.
        fork: start them as copies of this process, which is quick and needs no importable main module, but
            safe only where no thread of a library (PyTorch's, say) may hold a lock: such a copy may hang.
            Elsewhere than on Linux system libraries do not survive a fork: there nothing is forked.
    """

    def __init__(self, count: int | None = None, *, fork: bool = False) -> None:
        self.count = count or cores()
        self._method = "fork" if fork and sys.platform.startswith("linux") else "spawn"
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def map(
        self, function: Callable[[Job], Result], jobs: Iterable[Job], *, chunk: int = 32
    ) -> Iterator[Result]:
        """``function`` of every job, in the order of the jobs.

        Args:
            function: a module-level function (it travels to the processes by name).
            jobs: picklable arguments.
            chunk: jobs sent together; 1 for jobs that are long.

        Raises:
            UserError: a process was killed from outside.
        """
        if self.count == 1:
            yield from map(function, jobs)
            return
        with _starting_from_nowhere():
            if self._pool is None:
                self._pool = ProcessPoolExecutor(
                    self.count,
                    multiprocessing.get_context(self._method),
                    initializer=_start,
                    initargs=(os.getpid(),),
                )
            waiting = [self._pool.submit(_run, function, batch) for batch in _batches(jobs, chunk)]
        waiting.reverse()
        try:
            while waiting:
                yield from waiting.pop().result()
        except BrokenProcessPool:
            raise UserError(
                "a worker process was killed (out of memory?); repeat the command: finished parts are kept"
            ) from None
        finally:
            for future in waiting:
                future.cancel()


def _start(parent: int) -> None:
    """Set a process up: the parent alone answers Ctrl-C, and nobody outlives a killed parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(parent)


def end_with_parent(parent: int | None = None) -> None:
    """End this process within a second of its parent's end, however that came about.

    Args:
        parent: its process number, default that of the present parent.
    """
    number = os.getppid() if parent is None else parent
    threading.Thread(target=_end_with, args=(number,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _batches(jobs: Iterable[Job], size: int) -> Iterator[list[Job]]:
    iterator = iter(jobs)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


def _run(function: Callable[[Job], Result], batch: Sequence[Job]) -> list[Result]:
    return [function(job) for job in batch]
