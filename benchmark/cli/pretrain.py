"""``pretrain``: make a backbone."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.options import RESULTS, DataOption, DebugOption, SetOption


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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the recipe and stop.")] = False,
    debug: DebugOption = False,
) -> None:
    """Pre-train a backbone on image–text pairs. A stopped run goes on at its last checkpoint.

    Example: [bold]python run_suite.py pretrain pretraining/demo_catlip.py --out results/my_catlip
    --data pairs=results/data/demo/pairs[/bold]
    """
    from rich.console import Console

    from benchmark.running.console import Display, say
    from benchmark.running.preparation import check_folder
    from benchmark.suites.shipped import drawn_data
    from common.configs import check_data_names, find_config, override_words, parse_data, parse_overrides
    from common.errors import UserError
    from common.interrupt import stoppable
    from pretraining.data.shards import pair_splits
    from pretraining.recipe import finished, load_recipe

    path, values = find_config(config), parse_overrides(overrides)
    folder = (out or RESULTS / "pretrain" / path.stem).expanduser().absolute()
    places = parse_data(data)
    check_data_names(places, ["pairs"], "pre-training")
    drawn = drawn_data("pairs", RESULTS, pretraining=path)  # other configs are for pairs of somebody's own
    if "pairs" not in places:
        if drawn is None:
            raise UserError("no image–text pairs: give their folder as --data pairs=PATH")
        places["pairs"] = drawn.folder
    recipe = load_recipe(path, values)
    console = Console(stderr=not dry_run)
    if dry_run:
        console.print_json(recipe.model_dump_json())
        console.print(
            f"{recipe.samples:,} samples in {recipe.iterations:,} steps, written to {folder}", markup=False
        )
        return
    check_folder("pairs", places["pairs"], drawn, "pairs")
    pair_splits(places["pairs"])
    if finished(path, folder, places, values):
        say(f"{folder} is finished already", console)
        return
    from pretraining.train import pretrain

    words = ["python", "run_suite.py", "pretrain", config, "--out", str(out or folder)]
    words += [word for name, place in places.items() for word in ("--data", f"{name}={place}")]
    with stoppable(), Display() as display:
        job = display.job(f"pre-train {path.stem}")
        pretrain(
            path,
            folder,
            places,
            values,
            report=job.report,
            command=shlex.join(words + override_words(values)),
        )
        job.finish(f"done, backbone run:{folder}")
