"""The plots of a suite, as PNG. Colours follow the objective, markers tell backbones apart without colour."""

from __future__ import annotations

import csv
import math
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.records.schema import Metric
from benchmark.reporting.canvas import STYLE, new_canvases, save
from benchmark.reporting.names import task_titles, with_unit
from benchmark.reporting.results import Results, Score, seeds_text
from benchmark.reporting.total_cost import total_device_hours
from common.names import slug

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

COLOURS = {None: "#8c8c8c", "clip": "#e08214", "catlip": "#1f4e9c"}
OTHERS = ("#009e73", "#7b3294", "#a6611a", "#56b4e9")
MARKERS = {None: "D", "clip": "s", "catlip": "o"}
OTHER_MARKERS = ("^", "v", "P", "X", "*", "<", ">")
COST_AXES = (
    ("samples", "samples, thousands", 1e3),
    ("flops", "FLOPs", 1),
    ("cpu_seconds", "CPU seconds of this machine, mining of labels included", 1),
    ("seconds", "wall seconds (not timed in turns: no speed-up)", 1),
    ("device_hours", "device-hours with this transfer (not timed in turns: no speed-up)", 1),
)
"""Costs of pre-training; the last one counts the cells of the task, too."""


@dataclass(frozen=True)
class Look:
    """How one backbone is drawn, in every plot the same."""

    colour: str
    marker: str


def write(results: Results, histories: dict[str, Path]) -> list[Path]:
    """Draw what the results allow: tasks side by side, their further metrics, quality against cost, losses.

    Args:
        histories: name of a pre-training -> its history.csv.

    Returns:
        The files written, below ``<suite>/plots``.
    """
    import matplotlib as mpl

    folder = results.folder / "plots"
    looks = looks_of(results)
    found: dict[str, list[dict[str, Score]]] = {}
    for task, metric, _ in results.columns():
        scores = {name: results.score(name, task, metric) for name in results.backbones}
        if scores := {name: score for name, score in scores.items() if score.metric}:
            found.setdefault(task, []).append(scores)
    titles, files = task_titles(results), []
    with mpl.rc_context(STYLE):
        if found:
            first = [(titles[task], scores[0]) for task, scores in found.items()]
            files += save(side_by_side(first, looks), folder / "overview.png")
        if further := [(titles[task], each) for task, scores in found.items() for each in scores[1:]]:
            files += save(side_by_side(further, looks), folder / "further_metrics.png")
        # of one task against every kind of cost; the others are in summary.csv, beside the same costs
        for task, scores in list(found.items())[:1]:
            if canvas := against_cost(results, task, scores[0], looks):
                files += save(canvas, folder / f"{slug(task)}_against_cost.png")
        if canvas := _losses(histories, looks):
            files += save(canvas, folder / "pretraining_loss.png")
    return files


def side_by_side(found: list[tuple[str, dict[str, Score]]], looks: dict[str, Look]) -> Canvas:
    """Comparisons on one page, two side by side: titles and scores."""
    most = max(len(scores) for _, scores in found)
    columns = min(2, len(found))
    rows = -(-len(found) // columns)
    canvas, panels = new_canvases(6.5 * columns, rows * (1.5 + 0.5 * most), len(found), columns)
    for axes, (title, scores) in zip(panels, found, strict=True):
        compare(axes, title, scores, looks)
    return canvas


def compare(axes: Axes, task: str, scores: dict[str, Score], looks: dict[str, Look]) -> None:
    """One line per backbone: the figure, its interval, which need not hold a biased figure, and each seed."""
    for position, (name, score) in enumerate(scores.items()):
        metric, look = score.metric, looks[name]
        if metric.low is not None:
            axes.plot(
                [metric.low, metric.high],
                [position] * 2,
                color=look.colour,
                lw=5,
                alpha=0.55,
                solid_capstyle="butt",
            )
        if score.seeds > 1:
            axes.plot(score.values, [position + 0.22] * score.seeds, "|", color=look.colour, ms=7)
        axes.plot(metric.value, position, look.marker, color=look.colour, ms=7, mec="white", mew=0.8)
        axes.annotate(
            f"{metric.value:.1f}", (metric.value, position), (0, 9), textcoords="offset points", ha="center"
        )
    first = next(iter(scores.values()))
    axes.set_yticks(range(len(scores)), list(scores))
    axes.set_ylim(len(scores) - 0.5, -0.7)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(axis_label(first))
    _from_zero(axes.set_xlim, scores)
    axes.set_title(f"{task}: {_extent(scores)}\n95 % intervals, {_method(first)}")


def against_cost(
    results: Results, task: str, scores: dict[str, Score], looks: dict[str, Look]
) -> Canvas | None:
    """The figure against what pre-training cost, counted in several ways; without pre-training, a line."""
    costs = {
        name: results.cost(name) | {"device_hours": total_device_hours(results, name, task)}
        for name in scores
    }
    random = [name for name in scores if results.card(name).source == "random"]
    counted = [(*axis, [name for name in scores if costs[name][axis[0]]]) for axis in COST_AXES]
    counted = [axis for axis in counted if axis[-1]]
    if not counted:
        return None
    canvas, panels = new_canvases(11.0, 1.0 + 3.4 * -(-len(counted) // 2), len(counted), columns=2)
    for axes, (key, label, unit, paid) in zip(panels, counted, strict=True):
        handles = [floor(axes, scores[name].metric, looks[name]) for name in random]
        for name in paid:
            metric, look, x = scores[name].metric, looks[name], costs[name][key] / unit
            if metric.low is not None:
                middle, half = (metric.low + metric.high) / 2, (metric.high - metric.low) / 2
                axes.errorbar(x, middle, half, fmt="none", color=look.colour, lw=1.6, capsize=4)
            handles += axes.plot(
                x, metric.value, look.marker, color=look.colour, ms=6.5, mec="white", mew=0.8
            )
        axes.set_xlim(0, 1.1 * max(costs[name][key] for name in paid) / unit)
        _from_zero(axes.set_ylim, scores)
        axes.set_xlabel(label)
    first = scores[counted[0][-1][0]]
    for axes in panels[::2]:
        axes.set_ylabel(axis_label(first))
    names = [f"{name} (no pre-training)" for name in random] + counted[0][-1]
    panels[0].legend(handles, names, loc="center left")
    title = f"{task_titles(results)[task]} against the cost of pre-training"
    title += f"\n{_extent(scores)}; bars: 95 % intervals"
    canvas.suptitle(title, x=0.01, ha="left", fontsize=11)
    return canvas


def floor(axes: Axes, metric: Metric, look: Look) -> Any:
    """A horizontal line with its interval, for a backbone that cost nothing."""
    if metric.low is not None:
        axes.axhspan(metric.low, metric.high, color=look.colour, alpha=0.2, lw=0)
    return axes.axhline(metric.value, color=look.colour, ls="--", lw=1.5)


def _losses(histories: dict[str, Path], looks: dict[str, Look]) -> Canvas | None:
    """One panel per pre-training: the losses of different objectives share no scale."""
    from matplotlib.ticker import MaxNLocator

    curves: dict[str, list[dict[str, list[tuple[float, float]]]]] = {}
    for name, path in histories.items():
        if len((curve := _read_history(path))["loss"]) > 1:
            curves.setdefault(re.sub(r"-seed\d+$", "", name), []).append(curve)  # seeds share a panel
    if not curves:
        return None
    canvas, panels = new_canvases(1.2 + 3.6 * len(curves), 3.4, len(curves))
    for axes, (name, seeds) in zip(panels, curves.items(), strict=True):
        colour = looks[name].colour if name in looks else OTHERS[0]
        for number, curve in enumerate(seeds):
            labels = ("training batches", "smoothed", "validation") if number == 0 else (None,) * 3
            lines = zip(*curve["loss"], strict=True), zip(*_smooth(curve["loss"]), strict=True)
            axes.plot(*lines[0], color=colour, lw=1, alpha=0.35 / len(seeds), label=labels[0])
            axes.plot(*lines[1], color=colour, lw=1.8, label=labels[1])
            if curve["val_loss"]:
                axes.plot(
                    *zip(*curve["val_loss"], strict=True), color="black", marker="o", ms=3.5, lw=1, ls=":",
                    label=labels[2],
                )  # fmt: skip
        axes.set_title(f"pre-training {name}")
        axes.set_xlabel("samples seen")
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:g}k" if value else "0")
        axes.legend(fontsize=8)
    panels[0].set_ylabel("loss of the objective")
    return canvas


def looks_of(results: Results) -> dict[str, Look]:
    """Colour and marker of every backbone of a suite."""
    looks: dict[str, Look] = {}
    colours, markers = list(OTHERS), list(OTHER_MARKERS)
    for name in results.backbones:
        card = results.card(name)
        objective = card.objective
        known = objective in COLOURS and (objective or card.source == "random")
        colour = COLOURS[objective] if known else colours[0]
        marker = MARKERS[objective] if known else markers[0]
        if not known:
            colours.append(colours.pop(0))
        if not known or any(look.marker == marker for look in looks.values()):
            marker = markers[0]
            markers.append(markers.pop(0))
        looks[name] = Look(colour, marker)
    return looks


def _read_history(path: Path) -> dict[str, list[tuple[float, float]]]:
    """(samples, value) points of the losses in a history.csv; rows that cannot be read are left out."""
    points: dict[str, list[tuple[float, float]]] = {"loss": [], "val_loss": []}
    with suppress(OSError, csv.Error), path.open(newline="", encoding="utf-8", errors="replace") as file:
        for row in csv.DictReader(file):
            for key, values in points.items():
                with suppress(KeyError, TypeError, ValueError):
                    point = float(row["samples"]), float(row[key])
                    values += [point] if all(map(math.isfinite, point)) else []
    return points


def _smooth(points: list[tuple[float, float]], share: float = 0.05) -> list[tuple[float, float]]:
    """Running mean over a share of the points, the window centred and cut at the ends."""
    half = max(1, round(share * len(points) / 2))
    windows = [points[max(0, i - half) : i + half + 1] for i in range(len(points))]
    return [
        (x, sum(y for _, y in window) / len(window)) for (x, _), window in zip(points, windows, strict=True)
    ]


def axis_label(score: Score) -> str:
    """What an axis of scores is of."""
    return with_unit(score.name, score.metric.unit, ", ")


def _extent(scores: dict[str, Score]) -> str:
    metric = next(iter(scores.values())).metric
    units = (metric.method or "").partition(" over ")[2] or "units"
    count = f"{metric.n:,} test {units}" if metric.n else "test split"
    return f"{count}, {seeds_text(scores.values())}"


def _method(score: Score) -> str:
    return (score.metric.method or "none given").replace("wilson", "Wilson")


def _from_zero(set_limits: Any, scores: dict[str, Score]) -> None:
    """An axis that starts at zero and leaves room above the highest interval."""
    metrics = [score.metric for score in scores.values()]
    top = max(max(m.value, m.value if m.high is None else m.high) for m in metrics)
    percent = all(m.unit == "percent" for m in metrics)
    set_limits(0, min(1.12 * top, 102) if percent else 1.12 * top or 1)
