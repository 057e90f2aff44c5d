"""What the constructions of intervals reached in simulated worlds, from a table that is in the package.

``coverage.csv`` is written by ``python tests/calibration/coverage.py``; see METHODOLOGY.md.
"""

from __future__ import annotations

import csv
import math
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("coverage.csv")
CHOSEN = "chosen"
"""How the table names the constructions that records use, among others that were tried."""

ENOUGH = 500
"""Worlds whose share is worth quoting: its standard error is about one percent."""


def coverage(metric: str, units: int, value: float) -> float | None:
    """Share of simulated test sets, in percent, whose interval held the population's value.

    Args:
        metric: ``mAP``, ``mAP_50``, ``mIoU``, ``accuracy over classes`` ...
        units: number of test images (classes).
        value: of the metric, in percent.

    Returns:
        Mean over the families of worlds, of each the world of the number of units and the true value nearest
        to these; None where nothing like it was simulated: for another metric, or a number of units more than
        four times as large or as small.
    """
    nearest: dict[str, tuple[float, float]] = {}
    for family, its_units, its_value, reached, _ in _table().get(metric, []):
        octaves = abs(math.log2(units / its_units))
        if octaves > 2:
            continue
        far = octaves + abs(value - its_value) / 10  # a factor of two counts as much as ten percent
        nearest[family] = min(nearest.get(family, (math.inf, 0.0)), (far, reached))
    return round(sum(reached for _, reached in nearest.values()) / len(nearest), 1) if nearest else None


def simulated_widths(metric: str) -> list[tuple[int, float]]:
    """Number of units and mean width of the intervals, in percent, of every simulated world of a metric."""
    return [(units, width) for _, units, _, _, width in _table().get(metric, [])]


@cache
def _table() -> dict[str, list[tuple[str, int, float, float, float]]]:
    found: dict[str, list[tuple[str, int, float, float, float]]] = {}
    with TABLE.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["construction"] == CHOSEN and int(row["worlds"]) >= ENOUGH:
                numbers = (float(row[key]) for key in ("truth", "coverage", "width"))
                found.setdefault(row["metric"], []).append((row["family"], int(row["units"]), *numbers))
    return found
