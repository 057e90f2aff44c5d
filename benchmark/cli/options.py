"""Options that several commands share."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from backbones import download
from common import PROJECT


class Switches:
    """What the user set for the whole program, wherever on the command line."""

    debug = False


def _set_debug(value: bool) -> bool:
    if value:
        Switches.debug = True
        logging.getLogger().setLevel(logging.DEBUG)
    return value


def _allow_download(value: bool) -> bool:
    if value:
        download.allow()
    return value


DebugOption = Annotated[bool, typer.Option("--debug", callback=_set_debug, help="Show tracebacks of errors.")]
ResultsOption = Annotated[
    Path, typer.Option("--results", help="Results folder.", show_default="results/ beside run_suite.py")
]
DataOption = Annotated[
    list[str], typer.Option("--data", metavar="NAME=PATH", help="Where a data set is; may be repeated.")
]
SetOption = Annotated[
    list[str],
    typer.Option("--set", metavar="KEY=VALUE", help="Replace an entry of the config; may be repeated."),
]
AxisOption = Annotated[
    list[str],
    typer.Option(
        "--axis",
        metavar="AXIS=VALUE",
        help="Where on an axis of the task to stand, for instance learning_rate=1e-3: like --set, but part "
        "of the result's name, so that several values stand side by side. May be repeated.",
    ),
]
HubDataOption = Annotated[
    list[str],
    typer.Option(
        "--dataset",
        metavar="NAME=OWNER/DATASET:TASK",
        help="Data that are a benchmark on Hugging Face's hub, and the task in its eval.yaml: their results "
        "get an entry in .eval_results. May be repeated.",
    ),
]
SeedsOption = Annotated[
    int | None,
    typer.Option(
        "--seeds",
        help="Repeat pre-training and transfer with so many seeds. One seed is no finding.",
        show_default="the suite's own",
    ),
]
PretrainingSeedsOption = Annotated[
    int | None,
    typer.Option(
        "--pretraining-seeds",
        help="Pre-train so many times, and transfer each with every one of --seeds.",
        show_default="one pre-training for each of --seeds",
    ),
]
WeightsOption = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        metavar="DIR",
        help="Folder in which a suite looks for released weights, by their published names.",
        show_default="weights/ in the results folder",
    ),
]
RetryOption = Annotated[bool, typer.Option("--retry-failed", help="Try again what failed before.")]
DownloadOption = Annotated[
    bool,
    typer.Option(
        "--download", callback=_allow_download, help="Let timm fetch weights that are not on this machine."
    ),
]
JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        min=1,
        help="Cells to run at once; they share the cores. Pre-trainings always run alone.",
        show_default="one with a GPU, else up to 4, as cores and memory allow",
    ),
]

ProcessesOption = Annotated[
    int | None,
    typer.Option(
        "--processes",
        min=1,
        help="Processes that train together, on this machine.",
        show_default="one per GPU, or without one per core; no more than share the batch evenly",
    ),
]
CellProcessesOption = Annotated[
    int, typer.Option("--processes", min=1, help="Processes that train the cell together, on this machine.")
]

RESULTS = PROJECT / "results"


def results_folder(results: Path) -> Path:
    """The results folder as an absolute path; ``~`` is understood."""
    return Path(results).expanduser().absolute()
