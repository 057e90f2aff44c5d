"""Checks of what a run needs beside its programs: memory, disk, a place to write, the lexicon, data."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from benchmark.data import LAYOUTS, layout_of, layouts
from benchmark.doctor.findings import Finding, error, ok, warning
from benchmark.suites.shipped import drawn_data
from common.machine import available_memory

GIB = 1 << 30
MEMORY_NEEDED = 4 * GIB
"""Pre-training a small ViT peaks at less than half of this; the rest is for reading images."""
DISK_NEEDED = 5 * GIB
"""Room for the data and results of a small suite, and for some checkpoints."""

KNOWN_SYNSETS = {"dog.n.01": 2084071, "person.n.01": 7846, "entity.n.01": 1740}
"""Offsets in WordNet 3.0, as its own data.noun has them."""


def memory() -> Finding:
    """Memory that is free for this process."""
    free = available_memory()
    if free is None:
        return ok("the system does not tell how much is free")
    if free < MEMORY_NEEDED:
        return warning(
            f"{free / GIB:.1f} GiB free: pre-training and detection may be killed",
            "close other programs, or lower the batch: --set batch_size=32 for pretrain",
        )
    return ok(f"{free / GIB:.1f} GiB free")


def disk(results: Path) -> Finding:
    """Free disk where results go."""
    place = nearest_existing(results)
    free = shutil.disk_usage(place).free
    if free < DISK_NEEDED:
        return warning(
            f"{free / GIB:.1f} GiB free at {place}: checkpoints may not fit",
            "free some, or write elsewhere: --results FOLDER",
        )
    return ok(f"{free / GIB:.0f} GiB free at {place}")


def write_access(results: Path) -> Finding:
    """Whether a file can be written where results go; the one tried is removed again."""
    place = nearest_existing(results)
    remedy = f"chmod u+rwx {place}, or write elsewhere: --results FOLDER"
    if not place.is_dir():
        return error(f"{place} is no folder", "remove it, or write elsewhere: --results FOLDER")
    try:
        with tempfile.NamedTemporaryFile(prefix=".doctor.", dir=place) as file:
            file.write(b"can this be written?")
            file.flush()
    except OSError as problem:
        return error(f"{place} cannot be written: {problem.strerror or problem}", remedy)
    return ok(f"{results} can be {'written' if place == results else 'made'}")


def nearest_existing(path: Path) -> Path:
    """The path, or the first folder above it that there is."""
    while not os.path.lexists(path) and path != path.parent:
        path = path.parent
    return path


def lexicon() -> Finding:
    """Whether the compiled WordNet gives the answers of WordNet 3.0."""
    from pretraining.labels.synsets import Lexicon

    known = Lexicon()  # not `load`: what an earlier caller read tells nothing about the file
    answers = {name: known.offset(name) for name in KNOWN_SYNSETS}
    answers["geese"] = known.lemmatize("geese")
    answers["above dog.n.01"] = known.name(known.hypernyms(KNOWN_SYNSETS["dog.n.01"])[0])
    wanted = {**KNOWN_SYNSETS, "geese": "goose", "above dog.n.01": "domestic_animal.n.01"}
    for question, answer in wanted.items():
        if answers[question] != answer:
            return error(f"{question} is {answers[question]}, should be {answer}", RESTORE_LEXICON)
    return ok(f"{len(known.offsets):,} noun synsets, dog.n.01 is {answers['dog.n.01']}")


RESTORE_LEXICON = "git checkout -- pretraining/labels/lexicon"


def data_folder(name: str, path: Path, results: Path) -> Finding:
    """A quick look at a data set: the folders are there and hold what they should; no file is read through.

    Args:
        name: as task configs call it; tells the layout, if it is one's name or ends in it.
        path: its folder, or a csv that lists it.
        results: the results folder, which some data are drawn in.
    """
    point = f"point to it: --data {name}=PATH"
    if not path.is_dir() and not (path.suffix.lower() == ".csv" and path.is_file()):
        drawn = drawn_data(name, results)
        remedy = f"draw it: {drawn.command}; or {point}" if drawn else point
        return error(f"{path} {'is no folder' if path.exists() else 'does not exist'}", remedy)
    layout = layout_of(name)
    if layout is None:
        fitting = [layout.name for layout in layouts() if layout.glance(path) is None]
        if fitting:
            return ok(f"{path}: laid out like {fitting[0]}")
        return warning(f"{path} has none of the layouts known: {', '.join(LAYOUTS)}", point)
    wrong = layout.glance(path)
    if wrong is None:
        return ok(f"{path}: laid out like {layout.name}")
    if inner := layout.one_folder_down(path):
        return error(f"{path}: {wrong}", f"point one folder down: --data {name}={inner}")
    return error(f"{path}: {wrong}", f"unpack it again, or {point}")
