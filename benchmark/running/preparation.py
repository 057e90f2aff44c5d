"""Making the inputs of a suite: demo data drawn, captions labelled, vocabulary counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmark.running.console import Display
from benchmark.suites.suite import Suite
from common.errors import UserError
from common.files import read_json, write_json
from common.names import suggest


def prepare_suite(suite: Suite, display: Display) -> None:
    """Draw and label whatever a suite needs and does not have yet."""
    for name in suite.prepare:
        draw(suite, name, display)
    if suite.pretraining:
        if "pairs" not in suite.data:
            raise UserError(f"{suite.path}: pre-training needs data = dict(pairs=...), or --data pairs=PATH")
        label_pairs(suite.data["pairs"], suite.vocabulary, display)


def draw(suite: Suite, name: str, display: Display) -> Path:
    """Draw the demo data `name` of a suite into ``<results>/data/<name>``."""
    if name not in suite.prepare:
        raise UserError(f"suite {suite.name} draws no data called {name!r}: {suggest(name, suite.prepare)}")
    from benchmark.demo_data import DemoSpec, prepare

    jobs = {}

    def progress(part: str, done: int, total: int) -> None:
        if not jobs:
            jobs["draw"] = display.job(f"draw data/{name}")
        jobs["draw"].report(part, done, total)

    root = prepare(suite.results / "data" / name, DemoSpec.from_config(suite.prepare[name]), progress)
    if jobs:
        jobs["draw"].finish("drawn")
    return root


def check_data(suite: Suite) -> None:
    """Make sure that every folder the suite reads is there, before anything long begins.

    Raises:
        UserError: one is missing; the message says how to get it.
    """
    needed = {task.data_name: suite.data_of(task) for task in suite.tasks}
    for name, folder in needed.items():
        check_folder(name, folder)


def check_folder(name: str, folder: Path) -> None:
    """Raise a `UserError` with the remedy when a data folder is missing."""
    if not Path(folder).is_dir():
        remedy = f"name its folder with --data {name}=PATH"
        if name.startswith("demo"):
            remedy = f"draw it with python run_suite.py prepare demo, or {remedy}"
        raise UserError(f"data {name}: {folder} does not exist: {remedy}")


def label_pairs(pairs: Path, vocabulary: dict[str, Any], display: Display) -> None:
    """Label a folder of shards and count its vocabulary, unless that was done for these very shards.

    Args:
        pairs: folder with ``train/*.tar``, possibly ``val/*.tar``, or ``*.tar``; gets ``vocabulary.csv``.
        vocabulary: arguments of `Vocabulary.count`.

    Raises:
        UserError: the folder holds no shards.
    """
    from pretraining.data.shards import pair_splits

    train, val = pair_splits(pairs)
    stamp = pairs / "labelled.json"
    state = {
        "vocabulary": vocabulary,
        "shards": [
            [shard.relative_to(pairs).as_posix(), shard.stat().st_size, shard.stat().st_mtime_ns]
            for shard in train + val
        ],
    }
    known = read_json(stamp)
    from pretraining.labels.sidecars import PROTOCOL

    if known == {**state, "protocol": PROTOCOL} and (pairs / "vocabulary.csv").is_file():
        return
    from pretraining.labels.sidecars import sidecar_path
    from pretraining.labels.vocabulary import Vocabulary

    label(train + val, None, display)
    counted = Vocabulary.count([sidecar_path(shard) for shard in train], **vocabulary)
    counted.save(pairs / "vocabulary.csv")
    display.line(f"{pairs / 'vocabulary.csv'}: {len(counted):,} synsets")
    write_json(stamp, {**state, "protocol": PROTOCOL})


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
