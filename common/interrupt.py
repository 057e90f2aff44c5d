"""Ctrl-C, SIGTERM and SIGHUP: one orderly way to stop."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator


class Stopped(Exception):
    """The user or the system asked this process to stop; everything was put away first."""


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the block as Ctrl-C does, so that children are stopped and results kept.

    Raises:
        Stopped: one of the three came.
    """
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield
        return
    owner = os.getpid()

    def interrupt(number: int, frame: object) -> None:
        if os.getpid() != owner:  # a forked worker that inherited this handler: die as usual
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        raise KeyboardInterrupt

    # nohup makes a process ignore SIGHUP; that wish is respected.
    numbers = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    except KeyboardInterrupt:
        raise Stopped from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
