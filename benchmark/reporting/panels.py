"""The paper's tables and figures, from whatever cells are there: measured beside published in one look."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from benchmark.records.published import Panel, Published, Reference, panel_keys, panel_parts
from benchmark.reporting.canvas import STYLE, new_canvas, save
from benchmark.reporting.plots import Look, looks_of
from benchmark.reporting.published import origin_of
from benchmark.reporting.results import SHARE, Results, Row
from common.names import slug

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

INIT = "init"
HOLLOW = {"marker": "D", "mfc": "none", "ls": "none", "ms": 8}
"""How a published value is drawn, in the colour of the backbone that it is held against."""
QUOTED = "#8c8c8c"


@dataclass(frozen=True)
class Content:
    """What there is of one panel.

    Attributes:
        name, title: of the panel.
        parts: its lines of the table of panels.
        rows: its finished cells.
        figures: published, each once.
    """

    name: str
    title: str
    parts: list[Panel]
    rows: list[Row]
    figures: list[Published]

    @property
    def said(self) -> str:
        """What must be said of its published values."""
        if not self.figures:
            return "published values: lost"
        return "filled: measured, with 95 % intervals; hollow: published (arXiv 2404.15653 and others)"


def contents(results: Results, reference: Reference | None = None) -> list[Content]:
    """The panels of which at least one cell is done."""
    reference, found = reference or Reference(strict=False), []
    done = [row for row in results.rows + results.shares if row.status == "done"]
    for name, parts in panel_parts(reference.panels).items():
        keys = {key for part in parts for key in panel_keys(part)}
        rows = [row for row in done if _key(row) in keys]
        shown = [figure for figure in reference.figures if any(part.shows(figure) for part in parts)]
        if rows:
            found.append(Content(name, parts[0].title, parts, rows, shown))
    return found


def _key(row: Row) -> tuple[str, str, frozenset[str]]:
    return row.record.task.config.removeprefix("task_configs/"), row.name, frozenset(row.axes)


def write(results: Results) -> list[Path]:
    """Draw ``plots/paper_<panel>.png`` of every panel that has a finished cell."""
    if not (found := contents(results)):
        return []
    import matplotlib as mpl

    looks, files = looks_of(results), []
    with mpl.rc_context(STYLE):
        for content in found:
            by_share = any(SHARE in row.axes for row in content.rows)
            canvas = (curves if by_share else points)(results, content, looks)
            heading = f"{content.name}: {content.title}\n{content.said}"
            canvas.suptitle(heading, x=0.01, ha="left", fontsize=10)
            files += save(canvas, results.folder / "plots" / f"paper_{slug(content.name)}.png")
    return files


def points(results: Results, content: Content, looks: dict[str, Look]) -> Canvas:
    """A line for every backbone, task and metric, then one for each published figure that is beside none."""
    lines, quoted = [], list(content.figures)
    seen = dict.fromkeys((row.name, row.task, row.task_name) for row in content.rows)
    for name, task, task_name in seen:
        row = next(row for row in content.rows if (row.name, row.task) == (name, task))
        for metric in (row.record.primary, *row.record.also):
            own = [figure for figure in content.figures if _beside(results, row, metric, figure, content)]
            quoted = [figure for figure in quoted if figure not in own]
            score = results.score(name, task, metric).metric
            lines.append((f"{name}: {task_name}, {metric}", looks[name], score, own))
    lines += [
        (f"{f.objective} {f.backbone}, {f.pretraining_data}: {f.task}, {f.metric}", None, None, [f])
        for f in quoted
        if f.unit == "percent" and not _of_another_table(f, content)
    ]
    canvas, axes = new_canvas(9.0, 1.6 + 0.32 * len(lines))
    for place, (_, look, metric, figures) in enumerate(lines):
        colour = look.colour if look else QUOTED
        if metric is not None:
            if metric.low is not None:
                axes.plot([metric.low, metric.high], [place] * 2, color=colour, lw=4, alpha=0.5)
            axes.plot(metric.value, place, look.marker, color=colour, mec="white", ms=7)
        axes.plot([figure.value for figure in figures], [place] * len(figures), color=colour, **HOLLOW)
    axes.set_yticks(range(len(lines)), [label for label, *_ in lines], fontsize=8)
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.set_xlabel("%")
    return canvas


def curves(results: Results, content: Content, looks: dict[str, Look]) -> Canvas:
    """A line for every backbone and start of the class layer, by share of the training images."""
    canvas, axes = new_canvas(7.4, 4.8)
    rows = [row for row in content.rows if SHARE in row.axes]
    for name, init in dict.fromkeys((row.name, row.axes.get(INIT)) for row in rows):
        values: dict[float, list[float]] = {}
        for row in rows:
            if (row.name, row.axes.get(INIT)) == (name, init):
                values.setdefault(100 * row.axes[SHARE], []).append(row.record.headline.value)
        shares = sorted(values)
        style = "--" if init == "transfer" else "-"
        label = name if init is None else f"{name}, {init} init"
        means = [fmean(values[share]) for share in shares]
        axes.plot(
            shares, means, style, marker=looks[name].marker, color=looks[name].colour, label=label, ms=5
        )
    for row in {row.name: row for row in rows}.values():
        ends = [f.value for f in content.figures if _beside(results, row, row.record.primary, f, content)]
        axes.plot([100] * len(ends), ends, color=looks[row.name].colour, **HOLLOW)
    axes.set_xscale("log")
    ticks = sorted({100 * row.axes[SHARE] for row in rows})
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("training images used, % of each class")
    axes.set_ylabel(f"{rows[0].record.primary}, %")
    axes.legend(fontsize=8)
    return canvas


def _of_another_table(figure: Published, content: Content) -> bool:
    """Whether a figure is here only to stand beside a cell: it is of another of the paper's tables."""
    place = figure.source.removeprefix("paper ").replace(" ", "")
    return place.startswith("table") and not place.startswith(content.name)


def _beside(results: Results, row: Row, metric: str, figure: Published, content: Content) -> bool:
    """Whether a figure is of a row's task, metric, shape, objective and pre-training data."""
    config = row.record.task.config.removeprefix("task_configs/")
    origin = origin_of(row.backbone, results.card(row.name))
    return (
        figure.metric == metric
        and (figure.backbone, figure.objective.lower()) == (origin.shape, origin.objective)
        and figure.pretraining_data == origin.data
        and any(part.config == config and part.shows(figure) for part in content.parts)
    )
