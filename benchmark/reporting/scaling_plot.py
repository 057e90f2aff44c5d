"""Images per second against the number of processes: measured here, and predicted beyond."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmark.reporting.canvas import STYLE, new_canvas, save
from benchmark.reporting.plots import COLOURS, OTHERS
from benchmark.speed.cost_model import Prediction


def write_scaling_plot(
    predicted: Sequence[Prediction],
    measured: Mapping[str, Mapping[int, float]],
    path: Path,
    here: str,
) -> Path:
    """Draw what each process contributes, so that perfect scaling is level on either device.

    Args:
        predicted: on one kind of device, in any order.
        measured: name of an objective -> processes -> images per second of all of them, on this machine.
        path: the file; its suffix names the format.
        here: what this machine is called.
    """
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        canvas, panel = new_canvas(7, 4)
        lines: dict[str, list[Prediction]] = defaultdict(list)
        for prediction in predicted:
            lines[prediction.name].append(prediction)
        others = iter(OTHERS)
        for name in dict.fromkeys([*lines, *measured]):
            colour = COLOURS.get(name) or next(others)
            if points := sorted(measured.get(name, {}).items()):
                panel.plot(*_level(points), color=colour, marker="o", label=f"{name}, measured: {here}")
            if found := sorted(lines.get(name, []), key=lambda p: p.devices):
                points = [(p.devices, p.images_per_second) for p in found]
                panel.plot(
                    *_level(points),
                    color=colour,
                    marker="o",
                    markerfacecolor="white",
                    linestyle="--",
                    label=f"{name}, predicted: {found[0].device}, {found[0].batch_size} images each",
                )
        panel.set(xlabel="processes", ylabel="images per second and process", xscale="log", yscale="log")
        ticks = sorted({p.devices for p in predicted} | {n for rates in measured.values() for n in rates})
        panel.set_xticks(ticks, [str(tick) for tick in ticks])
        panel.set_xticks([], minor=True)
        panel.yaxis.set_major_formatter("{x:g}")  # not as a formula, which the style leaves alone
        panel.legend(fontsize=8)
        return save(canvas, path)


def _level(points: Sequence[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [processes for processes, _ in points], [rate / processes for processes, rate in points]
