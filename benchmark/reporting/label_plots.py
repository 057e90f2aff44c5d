"""Plots of mined labels, each with the numbers it shows as a csv of the same name beside it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.reporting.canvas import STYLE, new_canvas, save
from benchmark.reporting.plots import COLOURS, OTHER_MARKERS, OTHERS
from benchmark.reporting.tables import csv_text
from common.files import write_text
from pretraining.labels.matching import Match, label_similarities
from pretraining.labels.vocabulary import Vocabulary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

COLOUR = COLOURS["catlip"]
PAPER_THRESHOLDS = (100, 500)  # values of V_tau that arXiv 2404.15653 found good on CC3M; 500 is its choice
STEPS = 15  # between synsets, as far as the coverage is shown


def write_corpus_plots(counted: Vocabulary, histogram: list[int] | None, folder: Path) -> list[Path]:
    """Synset frequencies, vocabulary size against V_tau (the paper's figure 3), labels per caption.

    Args:
        counted: every synset of the corpus, before any threshold.
        histogram: captions with 0, 1, 2, ... labels; None where only the counts are known.

    Returns:
        The plots and their csv files.
    """
    files = _write(frequencies(counted), _frequency_plot, folder / "synset_frequency.png")
    files += _write(sizes(counted), _size_plot, folder / "vocabulary_size.png")
    if histogram:
        lines = [{"labels": labels, "captions": captions} for labels, captions in enumerate(histogram)]
        files += _write(lines, _histogram_plot, folder / "labels_per_caption.png")
    return files


def write_coverage_plot(targets: dict[str, list[Match]], folder: Path) -> list[Path]:
    """Coverage of target label sets against the similarity threshold (the paper's figure 2b).

    Args:
        targets: name of a label set -> its matches; alpha has no part in it.
    """
    return _write(coverage(targets), _coverage_plot, folder / "label_coverage.png")


def frequencies(counted: Vocabulary) -> list[dict[str, Any]]:
    """Rank and count of every synset."""
    rows = zip(counted.synsets, counted.names, counted.counts, strict=True)
    return [
        {"rank": rank, "synset": synset, "name": name, "count": count}
        for rank, (synset, name, count) in enumerate(rows, 1)
    ]


def sizes(counted: Vocabulary) -> list[dict[str, Any]]:
    """For each V_tau at which the size changes, the number of synsets in *more* captions than that."""
    lines = [{"v_tau": 0, "size": sum(count > 0 for count in counted.counts)}]
    size = len(counted)
    for count, equal in groupby(reversed(counted.counts)):
        size -= sum(1 for _ in equal)
        if count > 0:
            lines.append({"v_tau": count, "size": size})
    return lines


def coverage(targets: dict[str, list[Match]]) -> list[dict[str, Any]]:
    """The share of labels all of whose synsets have a class at least so similar, per label set."""
    lines = []
    for name, matches in targets.items():
        similarities = label_similarities(matches)
        for steps in range(STEPS + 1):
            threshold = 1 / (1 + steps)
            covered = sum(similarity >= threshold for similarity in similarities)
            lines.append(
                {
                    "target": name,
                    "steps": steps,
                    "similarity": threshold,
                    "covered": covered,
                    "labels": len(similarities),
                    "share": covered / len(similarities),
                }
            )
    return lines


def _write(lines: list[dict[str, Any]], draw: Any, path: Path) -> list[Path]:
    import matplotlib as mpl

    table = path.with_suffix(".csv")
    write_text(table, csv_text(lines))
    with mpl.rc_context(STYLE):
        return [*save(draw(lines), path), table]


def _frequency_plot(lines: list[dict[str, Any]]) -> Canvas:
    canvas, axes = new_canvas(6.4, 4.2)
    shown = [line for line in lines if line["count"] > 0]
    axes.plot([line["rank"] for line in shown], [line["count"] for line in shown], color=COLOUR, lw=1.8)
    _log_log(axes)
    axes.set_xlabel("rank of the synset")
    axes.set_ylabel("captions")
    axes.set_title(f"Synset frequency\n{len(lines):,} synsets, the commonest {lines[0]['name']}")
    return canvas


def _size_plot(lines: list[dict[str, Any]]) -> Canvas:
    canvas, axes = new_canvas(6.4, 4.2)
    shown = [line for line in lines if line["v_tau"] > 0 and line["size"] > 0] or lines
    axes.step(
        [line["v_tau"] for line in shown],
        [line["size"] for line in shown],
        where="post",
        color=COLOUR,
        lw=1.8,
    )
    for threshold in PAPER_THRESHOLDS:
        if threshold <= shown[-1]["v_tau"]:
            size = [line["size"] for line in lines if line["v_tau"] <= threshold][-1]
            axes.axvline(threshold, color=COLOURS[None], ls=":", lw=1.2)
            axes.annotate(
                f"{threshold}: {size:,}", (threshold, size), (5, 5), textcoords="offset points", fontsize=9
            )
    _log_log(axes)
    axes.set_xlabel("V_tau: captions that a synset must be in more of")
    axes.set_ylabel("synsets in the vocabulary")
    axes.set_title(
        "Vocabulary size against its threshold\ndotted: sizes at thresholds that the paper found good"
    )
    return canvas


def _histogram_plot(lines: list[dict[str, Any]]) -> Canvas:
    canvas, axes = new_canvas(6.4, 4.2)
    captions = sum(line["captions"] for line in lines)
    mean = sum(line["labels"] * line["captions"] for line in lines) / max(captions, 1)
    axes.bar(
        [line["labels"] for line in lines], [line["captions"] for line in lines], color=COLOUR, width=0.8
    )
    axes.grid(axis="x", visible=False)
    axes.set_xlabel("labels of a caption")
    axes.set_ylabel("captions")
    without = lines[0]["captions"] / max(captions, 1)
    axes.set_title(f"Labels per caption: mean {mean:.2f}, {without:.1%} without\n{captions:,} captions")
    return canvas


def _coverage_plot(lines: list[dict[str, Any]]) -> Canvas:
    canvas, axes = new_canvas(6.4, 4.2)
    colours = [COLOUR, *OTHERS, COLOURS["clip"], COLOURS[None]]
    for number, (name, of_target) in enumerate(_by_target(lines)):
        of_target = of_target[::-1]  # a share holds for all thresholds down to the next similarity
        axes.step(
            [line["similarity"] for line in of_target],
            [100 * line["share"] for line in of_target],
            where="pre",
            color=colours[number % len(colours)],
            marker=OTHER_MARKERS[number % len(OTHER_MARKERS)],
            ms=4.5,
            lw=1.6,
            label=f"{name} ({of_target[0]['labels']:,} labels)",
        )
    axes.set_xlim(0, 1.03)
    axes.set_ylim(0, 102)
    axes.set_xlabel("path similarity asked for (1: the very synset)")
    axes.set_ylabel("labels with a class, %")
    axes.set_title("Coverage of target labels by the vocabulary")
    axes.legend(loc="best")
    return canvas


def _log_log(axes: Axes) -> None:
    for axis, set_scale in ((axes.xaxis, axes.set_xscale), (axes.yaxis, axes.set_yscale)):
        set_scale("log")
        axis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else "")
        axis.set_minor_formatter(lambda value, _: "")


def _by_target(lines: Iterable[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    return [(name, list(of_target)) for name, of_target in groupby(lines, lambda line: line["target"])]
