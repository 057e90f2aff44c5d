"""What was measured beside what was published of the same: differences, and how the protocols differ."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

from backbones.card import Card
from backbones.layout import Layout
from backbones.released import released
from benchmark.records.published import Counterpart, Published, Reference
from benchmark.records.schema import Metric
from benchmark.reporting.results import Results, Row
from benchmark.reporting.tables import csv_text, escape, markdown_table
from common.configs import value_text
from common.files import write_text

SHAPES = {(768, 12): "ViT-B", (1024, 24): "ViT-L", (1280, 32): "ViT-H"}
"""Width and depth -> how the literature calls such a ViT."""
MEANT_FOR = {"cc3m_": "CC3M", "datacomp_": "DataComp-1.3B"}
"""How the names of pre-training configs begin -> the pairs that they are for."""
PAPER_DATA, PAPER_SAMPLES = "DataComp-1.3B", 200_000 * 65_536
"""What the paper's released models saw: 200,000 iterations at batch 65,536."""


@dataclass(frozen=True)
class Origin:
    """What is known of a backbone's pre-training.

    Attributes:
        shape: as ``ViT-B/16``.
        objective: in lower case.
        data: the pairs' name; None where nobody says.
        samples: seen; None where nobody says.
        here: whether it was pre-trained by this suite.
    """

    shape: str | None
    objective: str | None
    data: str | None = None
    samples: int | None = None
    here: bool = False


@dataclass(frozen=True)
class Beside:
    """A measured figure, and a published one.

    Attributes:
        backbone, task, metric: which.
        measured: mean over seeds.
        low, high: its 95 % interval; None where there is none.
        unit: of all these.
        published: the other's.
        published_for: objective, architecture and pre-training data of it.
        source: where it was published.
        relation: as in `Counterpart`; of a ``miniature`` nothing is compared.
        difference: measured less published; None for a miniature.
        noise: between two trainings of the same; None where unknown.
        differs: how the protocols differ, in words; empty where they are the same.
    """

    backbone: str
    task: str
    metric: str
    measured: float
    low: float | None
    high: float | None
    unit: str
    published: float
    published_for: str
    source: str
    relation: Literal["reproduces", "miniature"]
    difference: float | None
    noise: float | None
    differs: tuple[str, ...]

    @property
    def within_noise(self) -> bool | None:
        """Whether two trainings of the same may be that far apart; None where nobody knows."""
        if self.difference is None or self.noise is None:
            return None
        return abs(self.difference) <= self.noise + 1e-9


def origin_of(backbone: str, card: Card) -> Origin:
    """Where a backbone comes from.

    Args:
        backbone: what `backbones.load_backbone` understands; weights that were released are known by the name
            of their file.
        card: what it says of itself.
    """
    if entry := released(backbone):
        shape = re.match(r"ViT-\w/\d+", entry.architecture)
        return Origin(shape and shape.group(), entry.objective.lower(), entry.data)
    shape, layout = None, card.architecture
    if isinstance(layout, Layout) and (layout.embed_dim, layout.depth) in SHAPES:
        shape = f"{SHAPES[layout.embed_dim, layout.depth]}/{layout.patch_size}"
    config = card.config or ""
    data = next((name for prefix, name in MEANT_FOR.items() if config.startswith(prefix)), None)
    objective = card.objective.lower() if card.objective else None
    return Origin(shape, objective, data, card.cost and card.cost.samples, card.source == "run")


def beside(results: Results, reference: Reference | None = None) -> list[Beside]:
    """Every figure of the tables that has a published counterpart, once for each of these.

    Raises:
        UserError: a table in results/published is damaged.
    """
    reference, found = reference or Reference(strict=False), []
    for name, backbone in results.backbones.items():
        origin = origin_of(backbone, results.card(name))
        for task in results.tasks:
            rows = [row for row in results.rows if (row.name, row.task, row.status) == (name, task, "done")]
            if not rows or not (counterpart := reference.counterpart(rows[0].record.task.config)):
                continue
            if counterpart.relation == "miniature":
                found += _miniatures(results, rows[0], origin, counterpart, reference)
            else:
                found += _reproduced(results, rows[0], origin, counterpart, reference)
    return found


def _reproduced(
    results: Results, row: Row, origin: Origin, counterpart: Counterpart, reference: Reference
) -> Iterator[Beside]:
    for name in row.record.metrics:
        score = results.score(row.name, row.task, name)
        for figure in _figures(reference, counterpart, origin, name):
            differs = _differences(row, score.metric, score.seeds, origin, counterpart, figure)
            yield _row(row, name, score.metric, figure, counterpart, differs, reference.noise)


def _miniatures(
    results: Results, row: Row, origin: Origin, counterpart: Counterpart, reference: Reference
) -> Iterator[Beside]:
    """The paper's own figure of its smallest model, for every metric that is shown."""
    differs = ("another protocol on other data",)
    shown = [column.metric for column in results.columns() if column.task == row.task]
    for figure in reference.figures:
        same = (figure.task, figure.objective.lower()) == (counterpart.task, origin.objective)
        if not same or (figure.backbone, figure.pretraining_data) != ("ViT-B/16", PAPER_DATA):
            continue
        if figure.metric in shown:
            shown.remove(figure.metric)  # the first figure is enough
            metric = results.score(row.name, row.task, figure.metric).metric
            if metric:
                yield _row(row, figure.metric, metric, figure, counterpart, differs, {})


def _figures(reference: Reference, counterpart: Counterpart, origin: Origin, metric: str) -> list[Published]:
    """Published figures of a backbone's shape and objective; of its own pre-training and size, if any."""
    found = [
        figure
        for figure in reference.figures
        if (figure.task, figure.metric) == (counterpart.task, metric)
        and (figure.backbone, figure.objective.lower()) == (origin.shape, origin.objective)
    ]
    same = [figure for figure in found if figure.resolution == counterpart.resolution]
    own = [figure for figure in same or found if _pairs(figure.pretraining_data) == _pairs(origin.data)]
    return own or same or found


def _pairs(data: str | None) -> str | None:
    """Pre-training data without who trained on them: ``LAION-2B (OpenCLIP)`` are ``LAION-2B``."""
    return data and data.partition(" (")[0]


def _differences(
    row: Row, metric: Metric, seeds: int, origin: Origin, counterpart: Counterpart, figure: Published
) -> tuple[str, ...]:
    """How a cell's protocol differs from the published figure's, the weightiest first."""
    record, found = row.record, []
    if origin.here:
        found.append("pre-trained here")
    if _pairs(figure.pretraining_data) != _pairs(origin.data):
        own = origin.data or "pairs that nothing is known of"
        found.append(f"pre-training data {own}; published for {figure.pretraining_data}")
    if origin.samples and figure.pretraining_data == PAPER_DATA and origin.samples != PAPER_SAMPLES:
        found.append(f"{origin.samples:,} samples seen; published: {PAPER_SAMPLES:,}")
    if counterpart.resolution not in (None, figure.resolution):
        found.append(f"{counterpart.resolution} px; published: {figure.resolution}")
    if counterpart.data not in ("", record.data.name):
        found.append(f"data {record.data.name}; published: {counterpart.data}")
    if counterpart.images and metric.n not in (None, counterpart.images):
        found.append(f"tested on {metric.n:,} images; published: {counterpart.images:,}")
    found += [f"{axis}={value_text(value)}" for axis, value in row.axes.items()]
    found += [f"set: {entry}" for entry in _replaced(record.command)]
    if seeds > 1:
        found.append(f"mean of {seeds} seeds; published: one run")
    return (*found, *counterpart.differs)


def _replaced(command: str) -> list[str]:
    """What a cell's command replaced in its config."""
    try:
        words = shlex.split(command)
    except ValueError:  # damaged
        return ["a command that cannot be read"]
    return [value for option, value in pairwise(words) if option == "--set"]


def _row(
    row: Row,
    name: str,
    metric: Metric,
    figure: Published,
    counterpart: Counterpart,
    differs: tuple[str, ...],
    noise: dict[tuple[str, str], float],
) -> Beside:
    compared = counterpart.relation == "reproduces"
    return Beside(
        backbone=row.name,
        task=row.task,
        metric=name,
        measured=metric.value,
        low=metric.low,
        high=metric.high,
        unit=metric.unit,
        published=figure.value,
        published_for=f"{figure.objective} {figure.backbone} on {figure.pretraining_data}",
        source=figure.source,
        relation=counterpart.relation,
        difference=metric.value - figure.value if compared else None,
        noise=noise.get((figure.task, figure.metric)),
        differs=differs,
    )


def write(results: Results) -> list[Path]:
    """Write ``tables/published.{csv,md}``, where anything measured has a published counterpart."""
    if not (found := beside(results)):
        return []
    lines = [
        {**asdict(line), "differs": "; ".join(line.differs), "within_noise": line.within_noise}
        for line in found
    ]
    said = [f"- {escape(sentence)}" for sentence in sentences(results)]
    compared = [line for line in found if line.relation == "reproduces"]
    table = [*markdown_table(*layout(compared), 3), ""] if compared else []
    contents = {
        "published.csv": csv_text(lines),
        "published.md": "\n".join(["# Measured beside published", "", *table, *said]).rstrip() + "\n",
    }
    files = [results.folder / "tables" / name for name in contents]
    for path, text in zip(files, contents.values(), strict=True):
        write_text(path, text)
    return files


def layout(lines: list[Beside]) -> tuple[list[str], list[list[str]]]:
    """Header and lines of a table of what can be compared, as text."""
    header = ["backbone", "task", "metric", "measured", "published", "difference", "of", "differs"]
    cells = []
    for line in lines:
        interval = f" [{line.low:.1f}, {line.high:.1f}]" if line.low is not None else ""
        noise = {True: ", within noise", False: ", beyond noise", None: ""}[line.within_noise]
        told = [f"{line.measured:.1f}{interval}", f"{line.published:.1f}", f"{line.difference:+.1f}{noise}"]
        about = [f"{line.published_for} ({line.source})", "; ".join(line.differs) or "nothing known"]
        cells.append([line.backbone, line.task, line.metric, *told, *about])
    return header, cells


def sentences(results: Results) -> list[str]:
    """For each task in miniature, what the paper found in the large, which is no figure to compare with."""
    found: dict[tuple[str, str], dict[str, Beside]] = {}
    for line in beside(results):
        if line.relation == "miniature":
            told = found.setdefault((line.task, line.metric), {})
            told.setdefault(line.published_for, line)
    said = []
    for (task, metric), told in found.items():
        figures = " against ".join(f"{line.published:.1f} of {what}" for what, line in told.items())
        places = " and ".join(dict.fromkeys(line.source.removeprefix("paper ") for line in told.values()))
        said.append(
            f"{task}, {metric}: {places} of arXiv 2404.15653 has {figures}; that is another protocol on "
            "other data, and no figure to compare these with."
        )
    return said
