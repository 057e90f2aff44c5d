"""``speed``: how much cheaper is one pre-training step than another?"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.options import (
    RESULTS,
    DataOption,
    DebugOption,
    ProcessesOption,
    ResultsOption,
    results_folder,
)
from benchmark.speed.measure import ROUNDS, TURN
from benchmark.suites.suite import DEFAULT_SUITE

_ON, _DEVICES = "a100_80gb", 64


def command(
    geometry: Annotated[
        str, typer.Option("--geometry", help="Shapes to measure: a name of task_configs/speed, or a file.")
    ] = DEFAULT_SUITE,
    batch: Annotated[
        str | None,
        typer.Option(
            "--batch",
            metavar="N|largest",
            help="Images per process and step; or only the largest batch that fits each objective.",
            show_default="the geometry's, and then the largest",
        ),
    ] = None,
    objectives: Annotated[
        str, typer.Option("--objectives", metavar="NAME,NAME", help="Whom to compare.")
    ] = "catlip,clip",
    processes: ProcessesOption = None,
    data: DataOption = [],  # noqa: B006
    precision: Annotated[str, typer.Option("--precision", help="auto, float32 or bf16.")] = "auto",
    rounds: Annotated[
        int, typer.Option("--rounds", min=5, help="Turns of each; the fastest and the slowest are dropped.")
    ] = ROUNDS,
    turn: Annotated[float, typer.Option("--turn", min=0.0, help="Seconds of a turn, or a step.")] = TURN,
    on: Annotated[
        str,
        typer.Option("--on", metavar="DEVICE", help="What device-hours are predicted for."),
    ] = _ON,
    devices: Annotated[
        int, typer.Option("--devices", min=1, help="How many of them share a step of 65,536 images.")
    ] = _DEVICES,
    recipe: Annotated[
        str,
        typer.Option(
            "--recipe",
            metavar="shared|paper",
            help="The same for all; or each as the paper trained it, which compares recipes, not objectives.",
        ),
    ] = "shared",
    results: ResultsOption = RESULTS,
    debug: DebugOption = False,
) -> None:
    """Measure what pre-training by CatLIP costs beside CLIP, on this machine, in four separate ratios.

    Counted FLOPs; the same batch; the largest batch that fits each; and device-hours. Contenders take turns
    (A B C, C B A, ...), on noise and on real pairs; the bare ViT is the floor, OpenCLIP's own training loop
    the outside reference. Phases, memory, and energy where the machine tells it, are measured in the same
    call. Pairs come with --data pairs=PATH, or are those of a suite that were drawn already.

    Example: [bold]python run_suite.py speed --geometry vit_b16 --batch 256[/bold]
    """
    from benchmark.records.schema import now
    from benchmark.reporting import speed as reporting
    from benchmark.running.console import Display
    from benchmark.speed.devices import named_device
    from benchmark.speed.geometry import geometry_file, load_geometry
    from benchmark.suites.cell import shown as shown_path
    from common import PROJECT
    from common.errors import UserError
    from common.interrupt import stoppable
    from common.locks import FolderLock
    from common.machine import launched, world_size
    from common.progress import ProgressFile, Report, silent
    from common.training import group
    from pretraining.objectives import objective_type

    path, folder = geometry_file(geometry), results_folder(results)
    shapes = load_geometry(geometry)
    names = tuple(dict.fromkeys(name.strip() for name in objectives.split(",") if name.strip()))
    for name in names:
        objective_type(name)
    if not names:
        raise UserError("--objectives: name at least one")
    if precision not in {"auto", "float32", "bf16"}:
        raise UserError(f"--precision {precision}: auto, float32 or bf16")
    if recipe not in {"shared", "paper"}:
        raise UserError(f"--recipe {recipe}: shared or paper")
    if recipe == "paper" and not shapes.published:
        raise UserError(f"--recipe paper: nothing is published of geometry {geometry}")
    device = named_device(on)
    size, largest = _batch(batch, shapes.batch_size)
    pairs = _pairs(data, folder)
    ours = group.LAUNCHER in os.environ
    group.adopt()
    if launched() and processes not in (None, world_size()):
        raise UserError(f"{world_size()} processes were started from outside: leave --processes out")
    words = ["python", "run_suite.py", "speed", "--geometry", geometry, "--objectives", ",".join(names)]
    words += ["--batch", batch] * (batch is not None) + ["--precision", precision, "--rounds", str(rounds)]
    words += ["--on", on] * (on != _ON) + ["--devices", str(devices)] * (devices != _DEVICES)
    words += ["--turn", f"{turn:g}"] * (turn != TURN) + ["--recipe", recipe] * (recipe != "shared")
    words += ["--data", f"pairs={pairs}"] if data else []
    progress = folder / "speed" / "progress.json"
    started = now()

    def measure(report: Report) -> None:
        from benchmark.speed.forecast import forecast
        from benchmark.speed.records import write_study
        from benchmark.speed.study import Plan, run

        plan = Plan(shapes, names, size, largest, pairs, precision, rounds, turn, recipe == "paper")
        first, found = group.is_first(), {}
        if first:  # before measuring, so that whatever goes wrong with it spoils nothing
            found = forecast(shapes, names, device, devices, size or shapes.batch_size, report)
        study, machine, seconds = run(plan, report)
        if first:
            shown = shlex.join([*words, "--processes", str(world_size())])
            made = {"command": shown, "started": started, "seconds": seconds}
            write_study(folder, path.stem, shown_path(path), plan, study, machine, found, **made)

    if launched():
        # The first one tells how it goes; where this command started it, that one shows it all.
        measure(ProgressFile(progress) if group.is_first() else silent)
        if group.is_first() and not ours:
            progress.unlink(missing_ok=True)
            reporting.show(folder / "speed", since=started)
        return
    lock = FolderLock(folder / "speed")
    if not lock.acquire():
        raise UserError(f"{lock.holder()} is measuring already: what both found would be wrong")
    with stoppable(), Display() as display:
        job = display.job(f"speed of {geometry}")
        from common.training.launch import devices as devices_here
        from common.training.launch import launch

        processes = processes or devices_here()
        progress.parent.mkdir(parents=True, exist_ok=True)
        progress.unlink(missing_ok=True)
        try:
            if processes == 1:
                measure(job.report)
            else:
                child = [sys.executable, str(PROJECT / "run_suite.py"), *words[2:], "--results", str(folder)]
                with job.following(progress):
                    launch(child + ["--debug"] * debug, processes, progress.parent)
        finally:
            for left in (progress, *progress.parent.glob("rank*.*")):
                left.unlink(missing_ok=True)
            lock.release()
        job.finish("done")
    reporting.show(folder / "speed", since=started)


def _batch(text: str | None, own: int) -> tuple[int | None, bool]:
    """Images of the same-batch comparison, and whether the largest batch is looked for."""
    from common.errors import UserError

    if text is None:
        return own, True
    if text == "largest":
        return None, True
    if not text.isdecimal() or int(text) < 2:
        raise UserError(f"--batch {text}: a number of images from 2 on, or largest")
    return int(text), False


def _pairs(data: list[str], results: Path) -> Path | None:
    """The folder of real pairs: the one that is named, or what a suite has drawn and labelled already."""
    from benchmark.suites.shipped import drawn_data
    from common.configs import check_data_names, parse_data
    from common.errors import UserError

    places = parse_data(data)
    check_data_names(places, ["pairs"], "speed")
    if "pairs" in places:
        if not places["pairs"].is_dir():
            raise UserError(f"data pairs: {places['pairs']} does not exist")
        return places["pairs"]
    drawn = drawn_data("pairs", results)
    return drawn.folder if drawn and (drawn.folder / "vocabulary.csv").is_file() else None
