"""Making the inputs of a suite: data drawn, captions labelled, vocabulary counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmark import tasks
from benchmark.data import load_layout
from benchmark.running.console import Display
from benchmark.suites.shipped import Drawn, drawn_data, drawn_folder
from benchmark.suites.suite import Suite
from common.digest import file_digest
from common.errors import UserError
from common.files import read_json, write_json
from common.names import imported, suggest


def prepare_suite(suite: Suite, display: Display) -> None:
    """Draw and label whatever a suite needs and does not have yet."""
    for name in suite.prepare:
        draw(suite, name, display)
    for name in dict.fromkeys(entry.data for entry in suite.pretraining):
        if name not in suite.data:
            raise UserError(
                f"{suite.path}: pre-training needs data = dict({name}=...), or --data {name}=PATH"
            )
        if suite.data[name].exists() or not suite.partial:
            label_pairs(suite.data[name], suite.vocabulary, display)


def draw(suite: Suite, name: str, display: Display) -> Path:
    """Draw the entry `name` of a suite's `prepare` into ``<results>/data/<name>``, unless that is done.

    Raises:
        UserError: there is no such entry, or it is none that can be drawn.
    """
    if name not in suite.prepare:
        raise UserError(f"suite {suite.name} draws no data called {name!r}: {suggest(name, suite.prepare)}")
    values = dict(suite.prepare[name])
    if "type" not in values:
        raise UserError(f"{suite.path}: prepare, {name}: give type='module:function', which draws it")
    drawer = imported(values.pop("type"), "drawer of data")
    jobs = {}

    def progress(part: str, done: int, total: int) -> None:
        if not jobs:
            jobs["draw"] = display.job(f"draw data/{name}")
        jobs["draw"].report(part, done, total)

    root = drawer(drawn_folder(suite.results, name), values, progress)
    if jobs:
        jobs["draw"].finish("drawn")
    return root


def check_data(suite: Suite) -> None:
    """Make sure that every folder the suite reads is there, before anything long begins.

    Raises:
        UserError: one is missing; the message says how to get it.
    """
    for task in suite.tasks:
        folder = suite.data_of(task)
        if not folder.exists():
            drawn = drawn_data(task.data_name, suite.results)
            check_folder(task.data_name, folder, drawn, tasks.task_type(task.type).layout)
        for name in task.further:
            if not suite.data[name].exists():
                check_folder(name, suite.data[name], drawn_data(name, suite.results))


def check_folder(name: str, folder: Path, drawn: Drawn | None = None, layout: str | None = None) -> None:
    """Make sure that a folder of data is there.

    Args:
        name: of the data, as configs call them.
        folder: where they should be.
        drawn: who draws such data, where somebody does.
        layout: that the data are read by.

    Raises:
        UserError: it is not there; the message says how to get it.
    """
    if not Path(folder).exists():
        draw_it = f"draw it with {drawn.command}, or " if drawn else ""
        raise UserError(f"data {name}: {folder} does not exist: {draw_it}{point_to(name, layout)}")


def point_to(name: str, layout: str | None) -> str:
    """How to say where data are, and what the folder must hold."""
    holds = f", which holds {load_layout(layout).holds}" if layout else ""
    return f"name its folder with --data {name}=PATH{holds}"


def label_pairs(pairs: Path, vocabulary: dict[str, Any], display: Display) -> None:
    """Label a folder of shards and count its vocabulary, unless that was done for these very shards.

    Args:
        pairs: folder with ``train/*.tar``, possibly ``val/*.tar``, or ``*.tar``; gets ``vocabulary.csv``.
        vocabulary: arguments of `Vocabulary.count`.

    Raises:
        UserError: the folder holds no shards, or another vocabulary, which no suite has counted.
    """
    from pretraining.data.shards import pair_splits

    train, val = pair_splits(pairs)
    stamp, place = pairs / "labelled.json", pairs / "vocabulary.csv"
    state = {
        "vocabulary": vocabulary,
        "shards": [
            [shard.relative_to(pairs).as_posix(), shard.stat().st_size, shard.stat().st_mtime_ns]
            for shard in train + val
        ],
    }
    known = read_json(stamp)
    known = known if isinstance(known, dict) else None
    from pretraining.labels.sidecars import PROTOCOL

    state["protocol"] = PROTOCOL
    if known and state.items() <= known.items() and place.is_file():
        return
    from pretraining.labels.sidecars import sidecar_path
    from pretraining.labels.vocabulary import Vocabulary

    label(train + val, None, display)
    counted = Vocabulary.count([sidecar_path(shard) for shard in train], **vocabulary)
    if place.exists() and not _is_ours(place, known) and Vocabulary.load(place) != counted:
        raise UserError(
            f"{place} is not the suite's, which counts another: move it away, or pre-train with it by "
            "python run_suite.py pretrain"
        )
    write_json(stamp, {"written": None})  # should this be ended before its end, what is written was ours
    counted.save(place)
    display.line(f"{place}: {len(counted):,} synsets")
    write_json(stamp, {**state, "written": file_digest(place)})


def _is_ours(vocabulary: Path, known: dict[str, Any] | None) -> bool:
    """Whether a suite wrote a vocabulary, by what it noted beside it; older notes have no digest."""
    return known is not None and known.get("written") in (None, file_digest(vocabulary))


def label(shards: list[Path], out: Path | None, display: Display) -> None:
    """Label files of captions, showing how far it is and what was found."""
    from pretraining.labels.sidecars import label_shards

    job = display.job("label captions")
    try:
        summary = label_shards(shards, out=out, report=job.report)
    finally:
        job.drop()
    first, *others = summary.lines()
    job.finish(f"{summary.pace}{first}")
    for line in others:
        display.line(line)
