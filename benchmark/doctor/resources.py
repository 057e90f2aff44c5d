"""Checks of what a run needs beside its programs: memory, disk, a place to write, the lexicon, data."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from benchmark.doctor.findings import Finding, error, ok, warning
from common.machine import available_memory

GIB = 1 << 30
MEMORY_NEEDED = 4 * GIB
"""The demo's pre-training peaks at less than half of this; the rest is for reading images."""
DISK_NEEDED = 5 * GIB
"""Room for the demo's data and results, and for some checkpoints."""

KNOWN_SYNSETS = {"dog.n.01": 2084071, "person.n.01": 7846, "entity.n.01": 1740}
"""Offsets in WordNet 3.0, as its own data.noun has them."""

_LOOKED_AT = 50  # entries of a folder, at most: this is a look, not a count


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


def data_folder(name: str, path: Path) -> Finding:
    """A quick look at a data set: the folders are there and hold what they should; no file is read through.

    Args:
        name: as task configs call it; ``demo_...`` has the layout of the rest of its name.
        path: its folder.
    """
    point = f"point to it: --data {name}=PATH"
    if not path.is_dir():
        remedy = (
            f"draw it: python run_suite.py prepare demo; or {point}" if name.startswith("demo_") else point
        )
        return error(f"{path} {'is no folder' if path.exists() else 'does not exist'}", remedy)
    kind = name.removeprefix("demo_")
    if kind not in LAYOUTS:
        fitting = [kind for kind, problem in LAYOUTS.items() if problem(path) is None]
        if fitting:
            return ok(f"{path}: laid out like {fitting[0]}")
        return warning(f"{path} has none of the layouts known: {', '.join(LAYOUTS)}", point)
    problem = LAYOUTS[kind]
    wrong = problem(path)
    if wrong is None:
        return ok(f"{path}: laid out like {kind}")
    for inner in _entries(path):
        if inner.is_dir() and problem(inner) is None:
            return error(f"{path}: {wrong}", f"point one folder down: --data {name}={inner}")
    return error(f"{path}: {wrong}", f"unpack it again, or {point}")


def _no_image_folder(path: Path) -> str | None:
    from benchmark.data.image_folder import IMAGE_TYPES

    for split in ("train", "val"):
        classes = [entry for entry in _entries(path / split) if entry.is_dir()]
        if not classes:
            return f"no {split}/<class name>/<image>"
        if not any(entry.suffix.lower() in IMAGE_TYPES for entry in _entries(classes[0])):
            return f"no images in {split}/{classes[0].name}"
    return None


def _no_coco(path: Path) -> str | None:
    for split in ("train", "val"):
        year = next(
            (y for y in ("2017", "") if (path / f"annotations/instances_{split}{y}.json").is_file()), None
        )
        if year is None:
            return f"no annotations/instances_{split}2017.json"
        with (path / f"annotations/instances_{split}{year}.json").open("rb") as file:
            if not file.read(64).lstrip().startswith(b"{"):
                return f"annotations/instances_{split}{year}.json is no annotation file"
        if not _entries(path / f"{split}{year}"):
            return f"no images in {split}{year}"
    return None


def _no_ade20k(path: Path) -> str | None:
    for split in ("training", "validation"):
        for kind, suffix in (("images", ".jpg"), ("annotations", ".png")):
            if not any(entry.suffix == suffix for entry in _entries(path / kind / split)):
                return f"no {kind}/{split}/*{suffix}"
    return None


def _no_pairs(path: Path) -> str | None:
    if any(entry.suffix == ".tar" for folder in (path / "train", path) for entry in _entries(folder)):
        return None
    return "no train/*.tar or *.tar (WebDataset)"


LAYOUTS: dict[str, Callable[[Path], str | None]] = {
    "imagenet1k": _no_image_folder,
    "places365": _no_image_folder,
    "classification": _no_image_folder,
    "coco": _no_coco,
    "ade20k": _no_ade20k,
    "pairs": _no_pairs,
}
"""What is wrong with a folder as data of that name, or None."""


def _entries(folder: Path) -> list[Path]:
    """Some entries of a folder, sorted; none where it is missing."""

    def visible() -> Iterator[Path]:
        with suppress(FileNotFoundError, NotADirectoryError):
            yield from (entry for entry in folder.iterdir() if not entry.name.startswith("."))

    return sorted(islice(visible(), _LOOKED_AT))
