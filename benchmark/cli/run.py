"""``run``: one cell by itself."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmark.cli.options import (
    RESULTS,
    AxisOption,
    CellProcessesOption,
    DataOption,
    DebugOption,
    DownloadOption,
    ResultsOption,
    SetOption,
    results_folder,
)


def command(
    task_config: Annotated[str, typer.Argument(help="Task config, a file or its name below task_configs/.")],
    backbone: Annotated[
        str, typer.Option("--backbone", help="What load_backbone understands; see list backbones.")
    ],
    data: DataOption = [],  # noqa: B006
    overrides: SetOption = [],  # noqa: B006
    axes: AxisOption = [],  # noqa: B006
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of everything random.")] = 0,
    suite: Annotated[
        str, typer.Option("--suite", help="Folder of results that the record goes to.")
    ] = "single",
    processes: CellProcessesOption = 1,
    results: ResultsOption = RESULTS,
    download: DownloadOption = False,
    debug: DebugOption = False,
) -> None:
    """Transfer one backbone to one task. A finished run with the same settings is shown, not repeated.

    Example: [bold]python run_suite.py run task_configs/classification/imagenet1k_linear_probe.py --backbone
    run:results/demo/pretrain/catlip --data imagenet1k=/data/imagenet[/bold]

    A probe and zero-shot classification take any number of further test sets with the same classes, as
    ImageNet-V2, -R, -A, -Sketch and -C: [bold]--data imagenet1k=... --data imagenet_v2=PATH[/bold]

    Example, data of your own under any name: [bold]python run_suite.py run classification/linear_probe.py
    --backbone run:results/demo/pretrain/catlip --data pets=/my/photos[/bold]
    """
    from benchmark.cli.report import show
    from benchmark.reporting.results import of_cell, of_folder
    from benchmark.running.cells import run_cells
    from benchmark.running.console import Display
    from benchmark.running.launchers.local import LocalLauncher
    from benchmark.running.pipeline import check_tasks
    from benchmark.running.preparation import check_folder, point_to
    from benchmark.suites.cell import Cell, load_task_config
    from benchmark.suites.shipped import drawn_data
    from benchmark.tasks import task_type
    from common.configs import check_data_names, parse_data, parse_overrides
    from common.errors import UserError
    from common.interrupt import stoppable
    from common.terminal import printable

    folder = results_folder(results)
    point = parse_overrides(axes, "--axis", "learning_rate=1e-3")
    paths = parse_data(data)
    task = load_task_config(task_config, parse_overrides(overrides), axes=point, data=paths)
    name, kind = task.data_name, task_type(task.type)
    if processes > 1 and not kind.shared:
        raise UserError(f"{task.path.name}: a {task.type} is computed by one process: leave --processes out")
    # Where the task's own data are not named, another name is rather a slip than a further test set.
    takes = kind.further and name in paths
    further = tuple((other, paths[other]) for other in paths if other != name) if takes else ()
    for other, place in further:
        check_folder(other, place)
    check_data_names(
        paths,
        [name, *(other for other, _ in further)],
        task.path.name,
        " (for other data of any name: classification/linear_probe.py and others without one)",
    )
    place = paths.get(name)
    if place is None or not place.exists():
        drawn = drawn_data(name, folder)
        if place is None and drawn is None:
            raise UserError(f"this task reads data {name!r}: {point_to(name, kind.layout)}")
        place = place or drawn.folder
        check_folder(name, place, drawn, kind.layout)
    cell = Cell(suite, backbone, backbone, task, seed, place, folder, further=further)
    check_tasks([cell])
    cell.fingerprint()  # an unknown backbone is told at once, not kept as a failed record
    with stoppable(), Display() as display:
        record = run_cells([cell], LocalLauncher(), display, retry_failed=True, processes=processes)[0]
    if record.status == "failed" and record.error_type == "UserError":
        raise UserError(record.error)
    show(of_cell(cell, record), written=of_folder(cell.folder.parents[2]))
    if record.status == "failed":
        typer.echo(f"failed: {printable(record.error)} (log: {cell.folder / 'train.log'})", err=True)
        raise typer.Exit(1)
