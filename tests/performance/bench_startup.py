"""How soon the command line answers, against Python with the two libraries it cannot do without.

python -m tests.performance.bench_startup
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
GOAL = 0.5
"""Seconds that ``list`` may take on an idle machine."""


def seconds(*command: str, repeats: int = 7) -> float:
    """Median wall time of a command in a fresh process."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run([sys.executable, *command], cwd=PROJECT, check=True, capture_output=True)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def main() -> None:
    reference = seconds("-c", "import typer, rich.console, rich.table")
    print(f"python with typer and rich: {reference:.3f} s")
    for kind in ("backbones", "tasks", "suites"):
        taken = seconds("run_suite.py", "list", kind)
        print(f"list {kind}: {taken:.3f} s, {taken / reference:.2f} times that (goal: {GOAL} s)")


if __name__ == "__main__":
    main()
