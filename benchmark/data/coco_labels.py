"""Which categories of COCO's annotations an image shows: multi-label data."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmark.data.coco import check_images
from benchmark.data.images import Files, ImageSplit
from benchmark.data.instances import read_instances
from benchmark.data.labels import check_names
from common.errors import UserError
from common.names import suggest


def splits(root: Path) -> list[str]:
    """Names of the splits, as the annotation files call them: ``train2017``."""
    files = (Path(root) / "annotations").glob("instances_*.json")
    return sorted(file.stem.removeprefix("instances_") for file in files)


def has_several(root: Path) -> bool:
    """Whether an image may have several labels: a photograph shows several things."""
    return True


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
    content = read_instances(file, objects=False)
    categories = {entry["id"]: entry["name"] for entry in content["categories"]}
    files = {entry["id"]: entry["file_name"] for entry in content["images"]}
    order = sorted(categories), sorted(files)
    names = [categories[number] for number in order[0]]
    if classes is None:
        check_names(names, file)
    elif names != classes:
        raise UserError(f"{file} has other categories than the training split: both must list the same")
    column = {number: place for place, number in enumerate(order[0])}
    row = {number: place for place, number in enumerate(order[1])}
    labels = np.zeros((len(row), len(column)), dtype=bool)
    for entry in content["annotations"]:
        labels[row[entry["image_id"]], column[entry["category_id"]]] = True
    folder = Path(root) / name
    paths = [f"{name}/{files[number]}" for number in order[1]]
    check_images(file, content, folder)
    return ImageSplit(Path(root), paths, labels, names, Files(Path(root)))
