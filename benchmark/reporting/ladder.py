"""Whether tasks on the same images rank backbones alike: k-NN, linear, attentive, LoRA, full fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from benchmark.reporting.results import Results
from benchmark.reporting.tables import csv_text, markdown_table
from common.files import write_text

LEAST = 3
"""Backbones below which ranks say nothing."""


@dataclass(frozen=True)
class Pair:
    """Two rungs and how alike they rank.

    Attributes:
        data: name of the data that both are on.
        first, second: tasks, in the suite's order.
        backbones: how many both have measured.
        tau: Kendall's tau-b of their means over seeds, from -1 to 1.
        p: chance of a tau as far from zero, were the ranks independent.
    """

    data: str
    first: str
    second: str
    backbones: int
    tau: float
    p: float


def pairs_of(results: Results) -> list[Pair]:
    """Every two tasks whose headline is an accuracy on the same data."""
    rungs: dict[str, dict[str, None]] = {}  # data -> its tasks, each once, in order
    for row in results.rows:
        if row.status == "done" and row.record.primary.startswith("top1"):
            rungs.setdefault(row.record.data.name, {})[row.task] = None
    found = []
    for data, tasks in rungs.items():
        for first, second in combinations(tasks, 2):
            values = [
                (a.value, b.value)
                for name in results.backbones
                if (a := results.score(name, first).metric) and (b := results.score(name, second).metric)
            ]
            if len(values) < LEAST:
                continue
            from scipy.stats import kendalltau  # most tables can do without it

            tau, p = kendalltau(*zip(*values, strict=True))
            if tau == tau:  # no number where a task puts all backbones in one place
                found.append(Pair(data, first, second, len(values), float(tau), float(p)))
    return found


def write(results: Results) -> list[Path]:
    """Write ``tables/ladder.{csv,md}``, where there is anything."""
    if not (found := pairs_of(results)):
        return []
    header = ["data", "task", "and task", "backbones", "Kendall's tau-b", "p"]
    cells = [
        [pair.data, pair.first, pair.second, str(pair.backbones), f"{pair.tau:+.2f}", f"{pair.p:.2f}"]
        for pair in found
    ]
    text = "\n".join([*markdown_table(header, cells, 3), "", *(f"- {line}" for line in _said(found))])
    contents = {"ladder.csv": csv_text([dict(vars(pair)) for pair in found]), "ladder.md": text + "\n"}
    files = [results.folder / "tables" / name for name in contents]
    for path, content in zip(files, contents.values(), strict=True):
        write_text(path, content)
    return files


def sentences(results: Results) -> list[str]:
    """For each data set, how alike its rungs rank the backbones."""
    return _said(pairs_of(results))


def _said(found: list[Pair]) -> list[str]:
    said = []
    for data in dict.fromkeys(pair.data for pair in found):
        pairs = [pair for pair in found if pair.data == data]
        lowest, highest = (end(pairs, key=lambda pair: pair.tau) for end in (min, max))
        tasks = len({task for pair in pairs for task in (pair.first, pair.second)})
        fewest = min(pair.backbones for pair in pairs)
        extent = f"{lowest.tau:+.2f}"
        if highest.tau > lowest.tau:
            extent = f"from {extent} ({lowest.first} and {lowest.second}) to {highest.tau:+.2f}"
        said.append(
            f"{data}: Kendall's tau-b between how {tasks} tasks rank {fewest} backbones is {extent}"
            + (": too few backbones for a rank correlation to be a finding." if fewest < 5 else ".")
        )
    return said
