"""``pretrain``: make a backbone."""

from __future__ import annotations

import shlex
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.options import RESULTS, DataOption, DebugOption, ProcessesOption, SetOption


def command(
    config: Annotated[
        str, typer.Argument(help="Pre-training config: a file, or its name below task_configs/.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Checkpoint folder.", show_default="results/pretrain/<name of the config>"
        ),
    ] = None,
    data: DataOption = [],  # noqa: B006
    overrides: SetOption = [],  # noqa: B006
    processes: ProcessesOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the recipe and stop.")] = False,
    debug: DebugOption = False,
) -> None:
    """Pre-train a backbone on image–text pairs. A stopped run goes on at its last checkpoint.

    One process per device shares every batch: a GPU each, or where there is none, a core each. The samples
    and their order do not depend on how many there are. torchrun and srun may start them instead.

    Example: [bold]python run_suite.py pretrain pretraining/demo_catlip.py --out results/my_catlip
    --data pairs=results/data/demo/pairs[/bold]

    Labels of shards that are in a folder of their own ([bold]label /ro/pairs/train --out labels/train[/bold],
    and vocabulary.csv in labels/) are found by [bold]--data labels=labels[/bold].
    """
    from rich.console import Console

    from benchmark.running.console import Display, say
    from benchmark.running.preparation import check_folder
    from benchmark.suites.shipped import drawn_data
    from common import PROJECT
    from common.configs import check_data_names, find_config, override_words, parse_data, parse_overrides
    from common.errors import JobFailed, UserError
    from common.interrupt import stoppable
    from common.machine import launched, world_size
    from common.training import group
    from pretraining.data.shards import pair_splits
    from pretraining.folder import PROGRESS, claim, held
    from pretraining.recipe import fingerprint, finished, lacking, load_recipe, why_again

    path, values = find_config(config), parse_overrides(overrides)
    folder = (out or RESULTS / "pretrain" / path.stem).expanduser().absolute()
    places = parse_data(data)
    check_data_names(places, ["pairs", "labels"], "pre-training")
    drawn = drawn_data("pairs", RESULTS, pretraining=path)  # other configs are for pairs of somebody's own
    if "pairs" not in places:
        if drawn is None:
            raise UserError("no image–text pairs: give their folder as --data pairs=PATH")
        places["pairs"] = drawn.folder
    recipe = load_recipe(path, values)
    group.adopt()
    if launched() and processes not in (None, world_size()):
        raise UserError(f"{world_size()} processes were started from outside: leave --processes out")
    recipe.check_processes(processes or world_size())
    console = Console(stderr=not dry_run)
    if dry_run:
        console.print_json(recipe.model_dump_json())
        console.print(
            f"{recipe.samples:,} samples in {recipe.iterations:,} steps, written to {folder}", markup=False
        )
        return
    check_folder("pairs", places["pairs"], drawn, "pairs")
    if "labels" in places:
        check_folder("labels", places["labels"])
    pair_splits(places["pairs"])
    missing = lacking(path, folder, places, values)
    if missing == []:
        if group.is_first():
            say(f"{folder} is finished already", console)
        return
    words = ["python", "run_suite.py", "pretrain", config, "--out", str(out or folder)]
    words += [word for name, place in places.items() for word in ("--data", f"{name}={place}")]
    words += override_words(values)
    if not group.is_first():  # it has nothing to say
        from pretraining.train import pretrain

        pretrain(path, folder, places, values)
        return
    # started with others, it ends at once when it is told to: checkpoints are whole at any time
    with nullcontext() if launched() else stoppable(), Display() as display:
        if missing:
            display.line(f"{folder}: {why_again(missing)}")
        job = display.job(f"pre-train {path.stem}")
        if not launched():
            from common.training.launch import default_processes, launch

            processes = processes or default_processes(recipe.batch_size)
        if launched() or processes == 1:
            from pretraining.train import pretrain

            pretrain(path, folder, places, values, job.report, shlex.join(words))
        else:
            with held(folder):  # and then by the first of the processes
                training = claim(folder, fingerprint(recipe, places["pairs"], places.get("labels")))
                (folder / PROGRESS).unlink(missing_ok=True)  # of a run that was stopped
            command = [sys.executable, str(PROJECT / "run_suite.py"), *words[2:]]
            with job.following(folder / PROGRESS):
                try:
                    launch(command + ["--debug"] * debug, processes, training)
                except JobFailed:
                    if not finished(path, folder, places, values):  # else it was but a bad farewell
                        raise
        job.finish(f"done, backbone run:{folder}")
