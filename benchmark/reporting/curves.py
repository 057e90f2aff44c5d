"""The plots of quality against what pre-training cost until then (the paper's figures 1 and 4)."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.records.schema import Metric
from benchmark.reporting.canvas import STYLE, new_canvases, save
from benchmark.reporting.names import task_titles
from benchmark.reporting.plots import Look, axis_label, floor, looks_of
from benchmark.reporting.results import Results
from benchmark.reporting.time_to_quality import SCHEDULE, ratio_text
from benchmark.reporting.trajectories import (
    Trajectory,
    comparisons,
    covered,
    floors,
    is_learnt,
    kinds,
    trajectories,
)
from common.names import slug

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

AXES = {
    "seconds": "pre-training seconds (not timed in turns: no speed-up)",
    "samples": "samples",
    "flops": "FLOPs",
}


def write(results: Results) -> list[Path]:
    """Draw ``plots/curve_<task>.png`` of every task that there are curves of."""
    found = trajectories(results)
    if not found:
        return []
    import matplotlib as mpl

    looks, files = looks_of(results), []
    with mpl.rc_context(STYLE):
        for task, ways in found.items():
            if canvas := draw(results, task, ways, looks):
                files += save(canvas, results.folder / "plots" / f"curve_{slug(task)}.png")
    return files


def draw(results: Results, task: str, ways: list[Trajectory], looks: dict[str, Look]) -> Canvas | None:
    """One panel per kind of cost: a line per backbone, with bands over seeds or, of one, bars."""
    known = [kind for kind in AXES if kind in kinds(ways)]
    if not known:
        return None
    canvas, panels = new_canvases(13.0, 4.6, len(known))
    found = floors(results, ways[0])
    for axes, kind in zip(panels, known, strict=True):
        handles = {
            f"{name} (no pre-training)": floor(axes, metric, looks[name]) for name, metric in found.items()
        }
        for way in ways:
            handles[way.name] = _line(axes, way, kind, looks[way.name])
        _log_axis(axes, kind)
        if len(ways) == 2 and kind != "seconds":
            _mark(axes, results, ways, kind)
    _limits(panels, ways, list(found.values()))
    panels[0].set_ylabel(axis_label(results.score(ways[0].name, task, ways[0].metric)))
    panels[0].legend(handles.values(), list(handles), loc="upper left")
    several = max(len(way.seeds) for way in ways) > 1
    bars = "bands: from the worst seed to the best" if several else "bars: 95 % intervals of the test set"
    canvas.suptitle(
        f"{task_titles(results).get(task, task)} against the cost of pre-training by then\n"
        f"{bars}; x: cost at equal quality [95 % interval of {covered(ways)}]",
        x=0.01,
        ha="left",
        fontsize=11,
    )
    canvas.supxlabel(SCHEDULE, x=0.01, ha="left", fontsize=8.5)
    return canvas


def _line(axes: Axes, way: Trajectory, kind: str, look: Look) -> object:
    costs = [point.cost(kind) for point in way.points]
    values = [point.value() for point in way.points]
    if len(way.seeds) > 1:
        every = [[point.value(seed) for seed in way.seeds] for point in way.points]
        axes.fill_between(
            costs, list(map(min, every)), list(map(max, every)), color=look.colour, alpha=0.2, lw=0
        )
    else:
        for cost, point in zip(costs, way.points, strict=True):
            if point.interval:
                axes.plot([cost] * 2, point.interval, color=look.colour, lw=1.4, alpha=0.6)
    (line,) = axes.plot(
        costs, values, look.marker + "-", color=look.colour, ms=6, mec="white", mew=0.8, lw=1.6
    )
    return line


def _log_axis(axes: Axes, kind: str) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.set_xlabel(AXES[kind])
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0e}" if kind == "flops" else f"{value:,.0f}")
    axes.xaxis.set_minor_formatter(NullFormatter())


def _mark(axes: Axes, results: Results, ways: list[Trajectory], kind: str) -> None:
    """The ratio at the highest quality that both reached, where they did; none where random weights are."""
    compared = comparisons(ways, kind)
    for one, other in combinations(ways, 2):
        found = compared[one.name, other.name]
        if found.at_level.value < 1:
            one, other, found = other, one, compared[other.name, one.name]
        level = found.level if one.sample.higher_is_better else -found.level
        if not is_learnt(results, one, level):
            continue
        (_, start), (_, end) = (way.cost_of(level, kind) for way in (one, other))
        axes.plot([start, end], [level] * 2, color="black", lw=1, ls=":", marker="|", ms=8)
        axes.annotate(
            f"x {ratio_text(found.at_level, found, one.has_intervals and other.has_intervals)}",
            ((start * end) ** 0.5, level), (0, -14), textcoords="offset points", ha="center", fontsize=9,
            bbox={"fc": "white", "ec": "none", "alpha": 0.8, "pad": 1},
        )  # fmt: skip


def _limits(panels: list[Axes], ways: list[Trajectory], lowest: list[Metric]) -> None:
    tops = [end for way in ways for point in way.points for end in (point.interval or (point.value(),))]
    tops += [point.value(seed) for way in ways for point in way.points for seed in way.seeds]
    tops += [metric.value if metric.high is None else metric.high for metric in lowest]
    for axes in panels:
        axes.set_ylim(0, 1.12 * max(tops) or 1)
