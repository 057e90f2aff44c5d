"""Labelled images listed in a csv: ``path,label[,split]``, several labels separated by ``|``."""

from __future__ import annotations

import csv
import os
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from benchmark.data.images import ImageSplit
from benchmark.data.labels import check_names, coded
from common.errors import UserError, quoted
from common.files import within

NAME = "manifest.csv"
"""What the file is called where a folder is given."""


class Row(NamedTuple):
    path: str
    labels: tuple[str, ...]
    split: str


def file_of(root: Path) -> Path | None:
    """The manifest that a path means: itself, or one in the folder; None where it means none."""
    if root.suffix.lower() == ".csv" and root.is_file():
        return root
    return root / NAME if (root / NAME).is_file() else None


def splits(root: Path) -> list[str]:
    """Names of the splits; none where the manifest names none.

    Raises:
        UserError: the manifest cannot be used.
    """
    return sorted({row.split for row in read(root)} - {""})


def has_several(root: Path) -> bool:
    """Whether an image may have several labels: whether one has not exactly one."""
    return any(len(row.labels) != 1 for row in read(root))


def read_split(root: Path, split: str, classes: list[str] | None = None, several: bool = False) -> ImageSplit:
    """The images of a split; ``""`` is all of a manifest without splits.

    Args:
        root: the csv, or the folder that holds it; paths in it are relative to its folder.
        split: its name.
        classes: the training split's classes; None when this is the training split.
        several: an image may have several labels, or none.

    Raises:
        UserError: the manifest cannot be used, or has no such images.
    """
    file = file_of(root)
    rows = [row for row in read(root) if row.split == split]
    if not rows:
        raise UserError(f"{file} lists no image of split {split!r}")
    if not several:
        for row in rows:
            if len(row.labels) != 1:
                said = " | ".join(row.labels) or "none"
                raise UserError(
                    f"{file}: {row.path} has {len(row.labels)} labels ({said}), and this task wants one: use "
                    "a multi-label task, or give it one"
                )
    known = classes
    if known is None:
        known = sorted({label for row in rows for label in row.labels})
        check_names(known, file)
    rows.sort(key=lambda row: (row.labels, row.path))
    labels = coded([row.labels for row in rows], known, several, file)
    return ImageSplit(file.parent, [row.path for row in rows], labels, list(known))


def read(root: Path) -> list[Row]:
    """All rows of a manifest, whose files are there.

    Raises:
        UserError: it is no such csv, or files are missing: the first five, and how many.
    """
    file = file_of(root)
    status = file.stat()
    return _read(file, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4)
def _read(file: Path, changed: int, size: int) -> list[Row]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            names = [name.strip().lower() for name in reader.fieldnames or []]
            if not {"path", "label"} <= set(names):
                raise UserError(
                    f"{file} needs the columns path and label (and may have split) in its first line"
                )
            reader.fieldnames = names
            rows = [_row(file, number, line) for number, line in enumerate(reader, start=2)]
        missing = [row.path for row in rows if not os.path.isfile(file.parent / row.path)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file} cannot be read as a csv in UTF-8 ({error})") from None
    if not rows:
        raise UserError(f"{file} lists no images")
    if outside := [row.path for row in rows if within(file.parent, row.path) is None]:
        raise UserError(
            f"{len(outside)} of {len(rows)} files that {file} lists lead out of {file.parent}, for instance "
            f"{quoted(outside[0])}: move the manifest to the folder that holds the pictures"
        )
    if missing:
        raise UserError(
            f"{len(missing)} of {len(rows)} files that {file} lists are not there: "
            f"{', '.join(map(quoted, missing[:5]))}{', ...' if len(missing) > 5 else ''}"
        )
    seen: set[str] = set()
    for row in rows:
        if row.path in seen:
            raise UserError(
                f"{file} lists {quoted(row.path)} twice: once is enough, and a test must not be trained on"
            )
        seen.add(row.path)
    named = [row for row in rows if row.split]
    if named and len(named) < len(rows):
        raise UserError(f"{file} gives {len(named)} of {len(rows)} images a split: give all one, or none")
    return rows


def _row(file: Path, number: int, line: dict[str, str | None]) -> Row:
    path = (line["path"] or "").strip()
    inside = PurePosixPath(path)
    if not path or inside.is_absolute() or ".." in inside.parts:
        raise UserError(
            f"{file}, line {number}: path {quoted(path)} must be one below {file.parent}: move the manifest "
            "to the folder that holds the pictures"
        )
    labels = dict.fromkeys(label.strip() for label in (line["label"] or "").split("|"))
    return Row(str(inside), tuple(label for label in labels if label), (line.get("split") or "").strip())
