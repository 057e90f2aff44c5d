"""What people see while a suite runs: one live line per job, or plain lines where there is no terminal."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from common.progress import Progress as State
from common.progress import clock, read_progress
from common.terminal import printable

WIDTH = 200
"""Columns of what is printed where there is no terminal: tables are not to be cut."""

PLAIN_INTERVAL = 60.0
"""Seconds between two plain lines of one job where lines cannot be animated."""


def stdout() -> Console:
    """The console that results are printed on."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def cell(text: object, style: str = "") -> Text:
    """A cell of a table, its text as it is."""
    return Text(printable(text), style=style)


def say(text: object, console: Console | None = None) -> None:
    """Print text as it is, on the console that results go to unless another is given."""
    (console or stdout()).print(printable(text), markup=False, highlight=False, soft_wrap=True)


def say_notes(notes: Iterable[str], console: Console) -> None:
    """Print the notes under a table, folded where a terminal is that narrow."""
    for note in notes:
        console.print(
            f"- {printable(note)}", markup=False, highlight=False, soft_wrap=not console.is_terminal
        )


class Display:
    """Progress on stderr, so that stdout holds the result alone.

    Use as a context manager. On a terminal each running job is an animated line; otherwise a job prints a
    plain line when it starts, once a minute, and when it ends.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self._bars: Progress | None = None

    def __enter__(self) -> Display:
        if self.console.is_terminal:
            self._bars = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=20),
                TextColumn("{task.fields[state]}", markup=False),
                TimeElapsedColumn(),
                console=self.console,
                transient=True,
            )
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars:
            self._bars.stop()
            self._bars = None

    def line(self, text: str) -> None:
        """Print one line that stays."""
        say(text, self.console)

    def job(self, label: str) -> Line:
        """Start showing a job."""
        return Line(self, label)


class Line:
    """What the display shows of one running job."""

    def __init__(self, display: Display, label: str) -> None:
        self.label = label = printable(label)
        self._display = display
        self._start = self._printed = time.monotonic()
        self._bar = None
        if display._bars:
            self._bar = display._bars.add_task(label, total=None, state="starting")
        else:
            display.line(f"{label}: started")

    def update(self, state: State | None) -> None:
        """Show a new state (None: nothing is known yet)."""
        if state is None:
            return
        if self._bar is not None:
            self._display._bars.update(
                self._bar, completed=state.done, total=state.total or None, state=printable(state.text())
            )
        elif time.monotonic() - self._printed > PLAIN_INTERVAL:
            self._printed = time.monotonic()
            self._display.line(f"{self.label}: {state.text()}")

    def report(
        self, stage: str, done: int = 0, total: int = 0, loss: float | None = None, **pace: float | None
    ) -> None:
        """Show a state of work that runs in this process: a `common.progress.Report`."""
        self.update(State(stage, done, total, loss, **pace))

    @contextmanager
    def following(self, path: Path) -> Iterator[None]:
        """Show what processes tell in a progress file, as long as the block runs."""
        done = threading.Event()

        def follow() -> None:
            while not done.wait(0.2):
                self.update(read_progress(path))

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def finish(self, text: str) -> None:
        """Replace the live line by one that stays."""
        self.drop()
        self._display.line(f"{self.label}: {text} ({clock(time.monotonic() - self._start)})")

    def drop(self) -> None:
        """Take the live line away without a word."""
        if self._bar is not None:
            self._display._bars.remove_task(self._bar)
            self._bar = None
