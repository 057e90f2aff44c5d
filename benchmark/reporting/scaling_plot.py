"""Images per second against the number of processes: measured here, and predicted beyond."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark.reporting.canvas import STYLE, new_canvas, save
from benchmark.reporting.plots import COLOURS, OTHERS


def write_scaling_plot(
    predicted: Sequence[Mapping[str, Any]],
    measured: Mapping[str, Mapping[int, float]],
    path: Path,
    here: str,
    there: str,
) -> list[Path]:
    """Draw what each device contributes, so that perfect scaling is level on either kind.

    Args:
        predicted: rows of ``name``, ``devices``, ``batch_size``, ``images_per_second``, in any order.
        measured: name of an objective -> processes -> images per second of all of them, on this machine, for
            each core of a process.
        path: of one of the files (`benchmark.reporting.canvas.save`).
        here: what this machine is called.
        there: the device that is predicted.
    """
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        canvas, panel = new_canvas(7, 4)
        lines: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for row in predicted:
            lines[row["name"]].append(row)
        others = iter(OTHERS)
        for name in dict.fromkeys([*lines, *measured]):
            colour = COLOURS.get(name) or next(others)
            if points := sorted(measured.get(name, {}).items()):
                panel.plot(*_level(points), color=colour, marker="o", label=f"{name}, measured: {here}")
            if found := sorted(lines.get(name, []), key=lambda row: row["devices"]):
                points = [(row["devices"], row["images_per_second"]) for row in found]
                panel.plot(
                    *_level(points),
                    color=colour,
                    marker="o",
                    markerfacecolor="white",
                    linestyle="--",
                    label=f"{name}, predicted: {there}, {found[0]['batch_size']} images each",
                )
        panel.set(
            xlabel="processes (a GPU each, or a core or more)",
            ylabel="images per second and device",
            xscale="log",
            yscale="log",
        )
        ticks = sorted(
            {row["devices"] for row in predicted} | {n for rates in measured.values() for n in rates}
        )
        panel.set_xticks(ticks, [str(tick) for tick in ticks])
        panel.set_xticks([], minor=True)
        panel.yaxis.set_major_formatter("{x:g}")  # not as a formula, which the style leaves alone
        panel.legend(fontsize=8)
        return save(canvas, path)


def _level(points: Sequence[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [processes for processes, _ in points], [rate / processes for processes, rate in points]
