"""Every verdict in one picture: the differences from the baseline with their intervals, and what δ is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.reporting.canvas import STYLE, new_canvases, save
from benchmark.reporting.comparisons import Comparison, of_pretrained
from benchmark.reporting.names import metric_title, task_titles
from benchmark.reporting.plots import Look, looks_of
from benchmark.reporting.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

NAME = "verdicts.png"


def write(results: Results) -> list[Path]:
    """Draw ``plots/verdicts.*`` of the comparisons on disk; nothing where there are none."""
    import matplotlib as mpl

    found = of_pretrained(results)
    if not found:
        return []
    with mpl.rc_context(STYLE):
        canvas = draw(found, task_titles(results), looks_of(results))
        return save(canvas, results.folder / "plots" / NAME)


def draw(found: list[Comparison], titles: dict[str, str], looks: dict[str, Look]) -> Canvas:
    """One panel per backbone, one line per task."""
    names = list(dict.fromkeys(entry.backbone for entry in found))
    tasks = list(dict.fromkeys(entry.task for entry in found))
    canvas, panels = new_canvases(2.6 + 4.6 * len(names), 1.6 + 0.4 * len(tasks), len(names))
    metrics = {entry.task: entry.metric for entry in found}
    for axes, name in zip(panels, names, strict=True):
        own = {entry.task: entry for entry in found if entry.backbone == name}
        for position, task in enumerate(tasks):
            if task in own:
                _line(axes, position, own[task], looks[name])
        axes.axvline(0, color="black", lw=1)
        axes.set_yticks(range(len(tasks)), [""] * len(tasks))
        axes.set_ylim(len(tasks) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        axes.margins(x=0.12)
        first = next(iter(own.values()))
        axes.set_xlabel(f"points above {first.baseline} (95 % intervals; grey: ±δ)")
        cost = f", {first.cheaper_flops:.2f} times fewer FLOPs (counted)" if first.cheaper_flops else ""
        axes.set_title(f"{name} against {first.baseline}: {first.seeds}{cost}", fontsize=10)
    panels[0].set_yticks(
        range(len(tasks)), [f"{titles[task]}, {metric_title(metrics[task])}" for task in tasks]
    )
    return canvas


def _line(axes: Axes, position: int, entry: Comparison, look: Look) -> None:
    axes.fill_betweenx([position - 0.36, position + 0.36], -entry.margin, entry.margin, color="#d9d9d9", lw=0)
    axes.plot([entry.low, entry.high], [position] * 2, color=look.colour, lw=2.2)
    # the plain difference, which the interval, freed of the figures' biases, need not hold
    axes.plot(entry.difference, position, look.marker, color=look.colour, ms=6.5, mec="white", mew=0.8)
    verdict = entry.verdict
    if entry.as_good_as_random:
        verdict += f"; {entry.baseline} not above random"
    axes.annotate(
        verdict, (max(entry.high, entry.difference, entry.margin), position), (5, 0),
        textcoords="offset points", va="center", fontsize=8,
    )  # fmt: skip
