"""What quality cost: the curves' points, samples to quality per seed, and ratios at equal quality."""

from __future__ import annotations

import math
import os
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.reporting.results import Results
from benchmark.reporting.tables import csv_text, escape, markdown_table
from benchmark.reporting.trajectories import (
    COSTS,
    Trajectory,
    comparisons,
    cost_of,
    covered,
    is_learnt,
    kinds,
    trajectories,
)
from common.files import write_text

if TYPE_CHECKING:
    from benchmark.statistics.crossing import Comparison, Ratio

SCHEDULE = (
    "Points before the end are averaged weights of runs whose learning rate falls until their end: not what "
    "a run of that length would have reached."
)
NOTES = (
    "Quality counts where it is first reached, on a straight line between points over the logarithm of cost. "
    "Ratios are the cost of the baseline over that of the backbone, more than 1 where the backbone is the "
    "cheaper one; both directions are listed. ∞ and 0 leave an interval open: a curve may have been at that "
    "quality before its first point, or never reach it.",
    "Intervals of 1 seed say how far the test set limits these very runs, nothing of other seeds; those of "
    "several hold both. What is never reached here may be reached by other runs, or on another test set.",
    SCHEDULE,
    "Saving the points is no part of the cost. Mining labels is in no samples, FLOPs or wall seconds; what "
    "it took is told below the summary. Wall seconds were not timed in turns: their ratios are no speed-up.",
)


def write(results: Results) -> list[Path]:
    """Write ``curve.csv``, ``time_to_quality.csv``, ``equal_quality.csv`` and ``time_to_quality.md``.

    Nothing where no curve has two points.
    """
    found = trajectories(results)
    if not found:
        return []
    folder = results.folder / "tables"
    contents = {
        "curve.csv": csv_text([line for ways in found.values() for line in points(results, ways)]),
        "time_to_quality.csv": csv_text([line for ways in found.values() for line in to_quality(ways)]),
        "time_to_quality.md": markdown(results, found),
    }
    if equal := [line for ways in found.values() for line in equal_quality(results, ways)]:
        contents["equal_quality.csv"] = csv_text(equal)
    for name, text in contents.items():
        write_text(folder / name, text)
    return [folder / name for name in contents]


def points(results: Results, ways: list[Trajectory]) -> list[dict[str, Any]]:
    """One line per run of a point that is in a curve."""
    folders = {id(row.record): row.folder for row in results.rows + results.points}
    lines = []
    for way in ways:
        for point in way.points:
            for seed, records in point.records.items():
                for record in records:
                    cost, metric = cost_of(record), record.metrics[way.metric]
                    lines.append(
                        {
                            "task": way.task,
                            "metric": way.metric,
                            "backbone": way.name,
                            "pretraining_seed": seed,
                            "seed": record.seed,
                            **{kind: getattr(cost, kind) for kind in COSTS},
                            **{key: getattr(metric, key) for key in ("value", "low", "high", "unit")},
                            "command": record.command,
                            "record": os.path.relpath(folders[id(record)] / "record.json", results.folder),
                        }
                    )
    return lines


def levels(ways: list[Trajectory]) -> dict[float, str]:
    """Qualities to ask for, rising, and what each is: round ones on the curves, and the best of each."""
    values = [point.value() for way in ways for point in way.points]
    low, high = min(values), max(values)
    found = {}
    if low < high:
        step = _round_step((high - low) / 4)
        first = math.floor(low / step) + 1
        found = {n * step: "" for n in range(first, first + 5) if n * step < high}
    for way in ways:
        found[way.best] = f"best of {way.name}"
    return dict(sorted(found.items()))


def _round_step(least: float) -> float:
    """The next of 1, 2, 5, 10, 20, ... (or 0.5, 0.2, ...) from here up."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def to_quality(ways: list[Trajectory]) -> list[dict[str, Any]]:
    """What each quality cost: one line per backbone and seed of pre-training, and one for the mean curve."""
    lines = []
    for level, what in levels(ways).items():
        for way in ways:
            for seed in [*way.seeds, None]:
                costs = {kind: way.cost_of(level, kind, seed) for kind in kinds(ways)}
                line = {
                    "task": way.task,
                    "metric": way.metric,
                    "quality": level,
                    "which": what,
                    "backbone": way.name,
                    "pretraining_seed": "mean curve" if seed is None else seed,
                    "status": next(iter(costs.values()))[0],
                }
                lines.append(line | {kind: costs[kind][1] if kind in costs else None for kind in COSTS})
    return lines


def equal_quality(results: Results, ways: list[Trajectory]) -> list[dict[str, Any]]:
    """The ratios of cost at equal quality: both directions of every pair, each kind of cost."""
    lines = []
    for kind in kinds(ways):
        for (one, other), found in comparisons(ways, kind).items():
            pair = [way for way in ways if way.name in (one, other)]
            line = {
                "task": ways[0].task,
                "metric": ways[0].metric,
                "backbone": one,
                "baseline": other,
                "cost": kind,
                "highest_common_quality": _level(pair, found),
                "beyond_random_weights": is_learnt(results, pair[0], _level(pair, found)),
                "bound": found.bound,
            }
            for name in ("at_level", "over_range", "to_end"):
                ratio: Ratio = getattr(found, name)
                interval = (ratio.low, ratio.high) if _shown(pair) else (None, None)
                label = {"to_end": "to_best_of_baseline"}.get(name, name)
                never = name == "to_end" and ratio.value == 0
                line |= {
                    label: "never reached" if never else ratio.value,
                    f"{label}_low": interval[0],
                    f"{label}_high": interval[1],
                }
            lines.append({**line, "interval": covered(pair)})
    return lines


def sentences(results: Results) -> list[str]:
    """The ratios at equal quality in words, for the terminal: one sentence per task and pair."""
    found = trajectories(results)
    said = []
    for task, ways in found.items():
        counted = [kind for kind in kinds(ways) if kind != "seconds"]
        ratios = {kind: comparisons(ways, kind) for kind in counted}
        for pair in combinations(ways, 2) if counted else ():
            better, other = sorted(pair, key=_goodness, reverse=True)
            compared = {kind: ratios[kind][better.name, other.name] for kind in counted}
            parts = [
                f"{ratio_text(c.at_level, c, _shown(pair))} in {COSTS[kind]}" for kind, c in compared.items()
            ]
            level = _level(pair, next(iter(compared.values())))
            status, _ = other.cost_of(better.best, counted[0])
            end = f"; {other.name} never reached the {better.best:.1f} of {better.name}" * (
                status == "never reached"
            )
            if not is_learnt(results, better, level):
                said.append(
                    f"{task}: {better.name} and {other.name} have no quality in common that random weights "
                    f"may not have, too ({better.metric} {level:.1f}): what it cost is not compared{end}."
                )
                continue
            said.append(
                f"{task}: at equal quality ({better.metric} {level:.1f}, the most that both reached) "
                f"{other.name} cost {' and '.join(parts)} times what {better.name} did{end} "
                f"(95 % intervals of {covered(list(pair))})."
            )
    if missing := sum(row.status in ("missing", "outdated") for row in results.points):
        said.append(
            f"Curve: {missing} of {len(results.points)} points are missing or outdated: run the suite again."
        )
    return said


def ratio_text(ratio: Ratio, found: Comparison | None = None, interval: bool = True) -> str:
    """A ratio as tables show it: ``2.6 [1.9, 3.4]``; ``at least 7.8 [6.1, ∞]`` where `found` has a bound."""
    if ratio.value == 0:
        text = "never reached"
    else:
        text = f"{found.bound} {ratio.value:.2f}".strip() if found else f"{ratio.value:.2f}"
    certain = ratio.high == 0  # of no draw it is any more
    return text if certain or not interval else f"{text} [{_number(ratio.low)}, {_number(ratio.high)}]"


def markdown(results: Results, found: dict[str, list[Trajectory]]) -> str:
    """Ratios and samples to quality of every task, with what they mean."""
    parts = [f"# Time to quality, suite {escape(results.suite)}"]
    for task, ways in found.items():
        parts.append(f"## {escape(task)}, {escape(ways[0].metric)}")
        if len(ways) > 1:
            parts.append("\n".join(markdown_table(*_ratio_lines(results, ways))))
        parts.append("\n".join(markdown_table(*_quality_lines(ways))))
    parts.append("\n".join(f"- {escape(note)}" for note in NOTES))
    return "\n\n".join(parts) + "\n"


def _ratio_lines(results: Results, ways: list[Trajectory]) -> tuple[list[str], list[list[str]]]:
    header = [
        "backbone",
        "baseline",
        "cost",
        "highest common quality",
        "ratio there",
        "mean over the common range",
    ]
    header += ["to the baseline's best", "95 % intervals of"]
    lines = []
    for kind in kinds(ways):
        for (one, other), found in comparisons(ways, kind).items():
            pair = [way for way in ways if way.name in (one, other)]
            shown, level = _shown(pair), _level(pair, found)
            lines.append(
                [
                    *(one, other, COSTS[kind] + " (no speed-up)" * (kind == "seconds")),
                    f"{level:.1f}"
                    + " (random weights may have it)" * (not is_learnt(results, pair[0], level)),
                    ratio_text(found.at_level, found, shown),
                    ratio_text(found.over_range, found, shown),
                    ratio_text(found.to_end, found if found.bound == "at least" else None, shown),
                    covered(pair),
                ]
            )
    return header, lines


def _quality_lines(ways: list[Trajectory]) -> tuple[list[str], list[list[str]]]:
    seeds = sorted({seed for way in ways for seed in way.seeds})
    known = kinds(ways)
    header = ["quality", "", "backbone", *(f"samples, seed {seed}" for seed in seeds)]
    header += [f"{COSTS[kind]}, mean curve" for kind in known]
    lines = []
    for level, what in levels(ways).items():
        for way in ways:
            costs = [
                _cost_text("samples", *way.cost_of(level, "samples", seed)) if seed in way.seeds else "–"
                for seed in seeds
            ]
            costs += [_cost_text(kind, *way.cost_of(level, kind)) for kind in known]
            lines.append([f"{level:.1f}", what, way.name, *costs])
    return header, lines


def _cost_text(kind: str, status: str, cost: float | None) -> str:
    if cost is None:
        return status
    number = f"{cost:.2e}" if kind == "flops" else f"{cost:,.0f}"
    return f"at most {number}" if status == "at most" else number


def _number(value: float) -> str:
    return "∞" if math.isinf(value) else "0" if value == 0 else f"{value:.2f}"


def _shown(pair: list[Trajectory] | tuple[Trajectory, ...]) -> bool:
    """Whether there is anything that an interval could be of."""
    return all(way.has_intervals for way in pair) or min(len(way.seeds) for way in pair) > 1


def _level(pair: list[Trajectory] | tuple[Trajectory, ...], found: Comparison) -> float:
    return found.level if pair[0].sample.higher_is_better else -found.level


def _goodness(way: Trajectory) -> float:
    return way.best if way.sample.higher_is_better else -way.best
