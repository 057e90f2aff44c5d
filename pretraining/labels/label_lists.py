"""The labels of a target data set, from wherever they are written down."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common.errors import UserError

_PLACES = re.compile(r"(/[a-z]/\S+)\s+[0-9]+")  # a line of Places365's categories_places365.txt


def read_labels(source: str) -> list[str]:
    """The labels in the order of the target's classes.

    Args:
        source: ``imagenet1k`` (WordNet ids, from timm), ``coco`` (from MMDetection), ``ade20k`` (from
            MMSegmentation); a text file, one label per line, ``categories_places365.txt`` among them; a csv
            with a column ``name`` (a row with index 0 named "other" is no class); COCO's json; or a folder
            with one folder per class, possibly below ``train``.

    Raises:
        UserError: there is no such list, or it cannot be read, or holds no label or an empty one.
    """
    if source in KNOWN_LISTS:
        return KNOWN_LISTS[source]()
    path = Path(source).expanduser()
    if not path.exists():
        raise UserError(
            f"no labels called {source}: give {', '.join(KNOWN_LISTS)}, a file of labels or a folder of "
            "classes"
        )
    try:
        labels = _of_folder(path) if path.is_dir() else _of_file(path)
    except (ValueError, KeyError, TypeError, csv.Error, OSError) as error:  # ValueError: of JSON and UTF-8
        raise UserError(
            f"{path} cannot be read as labels ({type(error).__name__}: {error}): give one label per line, a "
            "csv with a column name, or COCO's json"
        ) from error
    if not labels:
        raise UserError(f"{path} holds no label: give one per line, or a folder of class folders")
    for number, label in enumerate(labels):
        if not isinstance(label, str) or not label.strip():
            raise UserError(f"{path}: label {number} (from 0) is empty or no text: name every class")
    return labels


def _of_folder(path: Path) -> list[str]:
    root = path / "train" if (path / "train").is_dir() else path
    return sorted(folder.name for folder in root.iterdir() if folder.is_dir() and folder.name[0] != ".")


def _of_file(path: Path) -> list[Any]:
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix.lower() == ".json":
        return [category["name"] for category in json.loads(text)["categories"]]
    if path.suffix.lower() == ".csv":
        rows = csv.DictReader(io.StringIO(text))
        return [row["name"] for row in rows if (row.get("index"), row["name"]) != ("0", "other")]
    lines = text.rstrip().split("\n") if text.strip() else []
    return [match[1] if (match := _PLACES.fullmatch(line.strip())) else line.strip() for line in lines]


def _imagenet1k() -> list[str]:
    from timm.data import ImageNetInfo

    return ImageNetInfo("imagenet-1k").label_names()


def _coco() -> list[str]:
    with contextlib.redirect_stdout(io.StringIO()):  # MMDetection tells which other data sets it cannot read
        from mmdet.datasets import CocoDataset
    return list(CocoDataset.METAINFO["classes"])


def _ade20k() -> list[str]:
    with contextlib.redirect_stdout(io.StringIO()):
        from mmseg.datasets import ADE20KDataset
    return list(ADE20KDataset.METAINFO["classes"])


KNOWN_LISTS: dict[str, Callable[[], list[str]]] = {
    "imagenet1k": _imagenet1k,
    "coco": _coco,
    "ade20k": _ade20k,
}
