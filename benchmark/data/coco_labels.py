"""Which categories of COCO's annotations an image shows: multi-label data."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmark.data.coco import read_annotations
from benchmark.data.images import Files, ImageSplit
from benchmark.data.labels import check_names
from common.errors import UserError
from common.names import suggest


def splits(root: Path) -> list[str]:
    """Names of the splits, as the annotation files call them: ``train2017``."""
    files = (Path(root) / "annotations").glob("instances_*.json")
    return sorted(file.stem.removeprefix("instances_") for file in files)


def read_split(root: Path, split: str, classes: list[str] | None = None, several: bool = True) -> ImageSplit:
    """The images of a split, those without any object too; a crowd counts as what it is a crowd of.

    Args:
        root: the folder that holds ``annotations/``.
        split: its name; the year may be left out.
        classes: the training split's categories; None when this is the training split.
        several: must be so: a photograph shows several.

    Raises:
        UserError: no such split, no such images, or other categories than those of training.
    """
    known = splits(root)
    name = next((name for name in (split, f"{split}2017") if name in known), None)
    if name is None:
        raise UserError(f"{root} has no split {split!r}: {suggest(split, known)}")
    file = Path(root) / "annotations" / f"instances_{name}.json"
    if not several:
        raise UserError(f"{file}: images have several labels each: use a multi-label task")
    content = read_annotations(file)
    categories = sorted(content["categories"], key=lambda entry: entry["id"])
    names = [entry["name"] for entry in categories]
    if classes is None:
        check_names(names, file)
    elif names != classes:
        raise UserError(f"{file} has other categories than the training split: both must list the same")
    column = {entry["id"]: number for number, entry in enumerate(categories)}
    images = sorted(content["images"], key=lambda entry: entry["id"])
    row = {entry["id"]: number for number, entry in enumerate(images)}
    labels = np.zeros((len(images), len(names)), dtype=bool)
    for annotation in content["annotations"]:
        try:
            labels[row[annotation["image_id"]], column[annotation["category_id"]]] = True
        except (KeyError, TypeError):
            raise UserError(
                f"{file}: annotation {annotation.get('id')} is of an image or a category that is not listed"
            ) from None
    folder = Path(root) / name
    paths = [f"{name}/{entry['file_name']}" for entry in images]
    present = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    if missing := [entry["file_name"] for entry in images if entry["file_name"] not in present]:
        raise UserError(
            f"{len(missing)} images of {file.name} are not in {folder}: {', '.join(map(str, missing[:5]))}"
        )
    return ImageSplit(Path(root), paths, labels, names, Files(Path(root)))
