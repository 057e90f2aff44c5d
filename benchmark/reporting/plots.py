"""The plots of a suite, as PNG. Colours follow the objective, markers tell backbones apart without colour."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.names import slug
from benchmark.reporting.canvas import STYLE, new_canvas, new_canvases, save
from benchmark.reporting.results import Figure, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

COLOURS = {None: "#8c8c8c", "clip": "#e08214", "catlip": "#1f4e9c"}
OTHERS = ("#009e73", "#7b3294", "#a6611a", "#56b4e9")
MARKERS = {None: "D", "clip": "s", "catlip": "o"}
OTHER_MARKERS = ("^", "v", "P", "X", "*", "<", ">")
NAMES = {
    "top1": "top-1 accuracy",
    "top5": "top-5 accuracy",
    "bbox_mAP": "box AP",
    "segm_mAP": "mask AP",
    "mIoU_things": "mIoU over things",
    "mIoU_stuff": "mIoU over stuff",
}


@dataclass(frozen=True)
class Look:
    """How one backbone is drawn, in every plot the same."""

    colour: str
    marker: str


def write(results: Results, histories: dict[str, Path]) -> list[Path]:
    """Draw what the results allow: an overview, per metric a comparison and a cost plot, the losses.

    Args:
        histories: name of a pre-training -> its history.csv.

    Returns:
        The files written, below ``<suite>/plots``.
    """
    import matplotlib as mpl

    folder = results.folder / "plots"
    looks = _looks(results)
    found = []
    for task, metric, key in results.columns():
        figures = {name: results.figure(name, task, metric) for name in results.backbones}
        if figures := {name: figure for name, figure in figures.items() if figure.metric}:
            found.append((task, key, figures))
    files = []
    with mpl.rc_context(STYLE):
        if len(found) > 1:
            files.append(save(_overview(found, looks), folder / "overview.png"))
        for task, key, figures in found:
            canvas, axes = new_canvas(7.0, 1.5 + 0.5 * len(figures))
            _compare(axes, task, figures, looks)
            files.append(save(canvas, folder / f"{slug(key)}.png"))
            if canvas := _against_cost(results, task, figures, looks):
                files.append(save(canvas, folder / f"{slug(key)}_against_cost.png"))
        if canvas := _losses(histories, looks):
            files.append(save(canvas, folder / "pretraining_loss.png"))
    return files


def _overview(found: list[tuple[str, str, dict[str, Figure]]], looks: dict[str, Look]) -> Canvas:
    """All comparisons on one page, two side by side."""
    most = max(len(figures) for _, _, figures in found)
    rows = -(-len(found) // 2)
    canvas, panels = new_canvases(12.0, rows * (1.5 + 0.5 * most), len(found), columns=2)
    for axes, (task, _, figures) in zip(panels, found, strict=True):
        _compare(axes, task, figures, looks)
    return canvas


def _compare(axes: Axes, task: str, figures: dict[str, Figure], looks: dict[str, Look]) -> None:
    """One line per backbone: the figure and its interval, which need not hold a biased figure."""
    for position, (name, figure) in enumerate(figures.items()):
        metric, look = figure.metric, looks[name]
        if metric.low is not None:
            axes.plot(
                [metric.low, metric.high],
                [position] * 2,
                color=look.colour,
                lw=5,
                alpha=0.55,
                solid_capstyle="butt",
            )
        axes.plot(metric.value, position, look.marker, color=look.colour, ms=7, mec="white", mew=0.8)
        axes.annotate(
            f"{metric.value:.1f}", (metric.value, position), (0, 9), textcoords="offset points", ha="center"
        )
    first = next(iter(figures.values()))
    axes.set_yticks(range(len(figures)), list(figures))
    axes.set_ylim(len(figures) - 0.5, -0.7)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(_axis_label(first))
    _from_zero(axes.set_xlim, figures)
    axes.set_title(f"{task}: {_extent(first)}\n95 % intervals, {_method(first)}")


def _against_cost(
    results: Results, task: str, figures: dict[str, Figure], looks: dict[str, Look]
) -> Canvas | None:
    """The figure against the seconds of pre-training; backbones without pre-training are horizontal lines."""
    seconds = {name: (results.description(name).get("cost") or {}).get("seconds") for name in figures}
    random = [name for name in figures if results.description(name).get("source") == "random"]
    paid = [name for name in figures if seconds[name]]
    if not paid:
        return None
    canvas, axes = new_canvas(6.4, 4.2)
    longest, handles = max(seconds[name] for name in paid), []
    for name in random:
        metric, look = figures[name].metric, looks[name]
        if metric.low is not None:
            axes.axhspan(metric.low, metric.high, color=look.colour, alpha=0.2, lw=0)
        handles.append(axes.axhline(metric.value, color=look.colour, ls="--", lw=1.5))
    for name in paid:
        metric, look = figures[name].metric, looks[name]
        if metric.low is not None:
            middle, half = (metric.low + metric.high) / 2, (metric.high - metric.low) / 2
            axes.errorbar(seconds[name], middle, half, fmt="none", color=look.colour, lw=1.6, capsize=4)
        handles += axes.plot(
            seconds[name], metric.value, look.marker, color=look.colour, ms=6.5, mec="white", mew=0.8
        )
    first = figures[paid[0]]
    names = [f"{name} (no pre-training)" for name in random] + paid
    axes.legend(handles, names, loc="center left")
    axes.set_xlim(0, 1.1 * longest)
    _from_zero(axes.set_ylim, figures)
    axes.set_xlabel("pre-training, seconds")
    axes.set_ylabel(_axis_label(first))
    axes.set_title(f"{task} against the cost of pre-training\n{_extent(first)}; bars: 95 % intervals")
    return canvas


def _losses(histories: dict[str, Path], looks: dict[str, Look]) -> Canvas | None:
    """One panel per pre-training: the losses of different objectives share no scale."""
    from matplotlib.ticker import MaxNLocator

    curves = {name: _read_history(path) for name, path in histories.items()}
    curves = {name: curve for name, curve in curves.items() if len(curve["loss"]) > 1}
    if not curves:
        return None
    canvas, panels = new_canvases(1.2 + 3.6 * len(curves), 3.4, len(curves))
    for axes, (name, curve) in zip(panels, curves.items(), strict=True):
        colour = looks[name].colour if name in looks else OTHERS[0]
        axes.plot(*zip(*curve["loss"], strict=True), color=colour, lw=1, alpha=0.35, label="training batches")
        axes.plot(*zip(*_smooth(curve["loss"]), strict=True), color=colour, lw=1.8, label="smoothed")
        if curve["val_loss"]:
            axes.plot(
                *zip(*curve["val_loss"], strict=True), color="black", marker="o", ms=3.5, lw=1, ls=":",
                label="validation",
            )  # fmt: skip
        axes.set_title(f"pre-training {name}")
        axes.set_xlabel("samples seen")
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:g}k" if value else "0")
        axes.legend(fontsize=8)
    panels[0].set_ylabel("loss of the objective")
    return canvas


def _looks(results: Results) -> dict[str, Look]:
    looks: dict[str, Look] = {}
    colours, markers = list(OTHERS), list(OTHER_MARKERS)
    for name in results.backbones:
        description = results.description(name)
        objective = description.get("objective")
        known = objective in COLOURS and (objective or description.get("source") == "random")
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
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for key, values in points.items():
                try:
                    values.append((float(row["samples"]), float(row[key])))
                except (KeyError, TypeError, ValueError):
                    continue
    return points


def _smooth(points: list[tuple[float, float]], share: float = 0.05) -> list[tuple[float, float]]:
    """Running mean over a share of the points, the window centred and cut at the ends."""
    half = max(1, round(share * len(points) / 2))
    windows = [points[max(0, i - half) : i + half + 1] for i in range(len(points))]
    return [
        (x, sum(y for _, y in window) / len(window)) for (x, _), window in zip(points, windows, strict=True)
    ]


def _axis_label(figure: Figure) -> str:
    name = NAMES.get(figure.name, figure.name)
    return f"{name}, {figure.unit}" if figure.unit else name


def _extent(figure: Figure) -> str:
    units = (figure.metric.method or "").partition(" over ")[2] or "units"
    count = f"{figure.metric.n:,} test {units}" if figure.metric.n else "test split"
    return f"{count}, mean of {figure.seeds} seeds" if figure.seeds > 1 else count


def _method(figure: Figure) -> str:
    return (figure.metric.method or "none given").replace("wilson", "Wilson")


def _from_zero(set_limits: Any, figures: dict[str, Figure]) -> None:
    """An axis that starts at zero and leaves room above the highest interval."""
    metrics = [figure.metric for figure in figures.values()]
    top = max(max(m.value, m.value if m.high is None else m.high) for m in metrics)
    percent = all(m.unit == "percent" for m in metrics)
    set_limits(0, min(1.12 * top, 102) if percent else 1.12 * top or 1)
