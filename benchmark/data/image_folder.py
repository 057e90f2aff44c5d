"""Classification data: ``<split>/<class name>/<image>``, as torchvision's ImageFolder reads them."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from benchmark.data.base import DataCheck, DataLayout, counted, entries
from benchmark.data.images import IMAGE_TYPES, ImageSplit
from common.errors import UserError

IMAGENET_1K = {"train": 1_281_167, "val": 50_000}
JUDGING = ("val", "test")
OPENED = 2_000
"""Pictures of a split that a check opens, at most: to decode all of ImageNet takes hours."""


class ImageFolder(DataLayout):
    """A training split, and at least one of val and test with none but its classes."""

    name = "image_folder"
    also = ("imagenet1k", "places365", "classification")
    holds = "<split>/<class name>/<image>, with splits train and val or test"

    def glance(self, path: Path) -> str | None:
        if problem := _no_images(path / "train"):
            return problem
        problems = [_no_images(path / split) for split in JUDGING]
        return None if None in problems else problems[0]

    def check(self, path: Path) -> DataCheck:
        """Every class must have images, in training if anywhere; of each split up to `OPENED` pictures must
        be readable."""
        path = self.folder(path)
        train = read_split(path, "train")
        others = [split for split in JUDGING if (path / split).is_dir()]
        splits = {"train": train, **{split: read_split(path, split, train.classes) for split in others}}
        if not others:
            raise UserError(f"{path} has no val/ and no test/: images that are not trained on must judge")
        opened = sum(_open_some(images) for images in splits.values())
        found = {name: len(images) for name, images in splits.items()}
        warnings = []
        for name, images in splits.items():
            if absent := sorted(set(range(len(train.classes))) - set(images.labels.tolist())):
                classes = f"{len(absent)} of {len(train.classes)} classes"
                warnings.append(f"{name} shows nothing of {classes}, for instance {train.classes[absent[0]]}")
        if len(train.classes) == 1000 and all(re.fullmatch(r"n\d{8}", name) for name in train.classes):
            warnings += [
                f"{split} has {found[split]} images, ImageNet-1k has {number}"
                for split, number in IMAGENET_1K.items()
                if found.get(split, number) != number
            ]
        summary = f"{path}: image folder, {len(train.classes)} classes, images: {counted(found)}"
        return DataCheck(f"{summary} ({opened} opened)", tuple(warnings))


def read_split(root: Path, split: str, classes: list[str] | None = None) -> ImageSplit:
    """List the images of a split.

    Args:
        root: the data set's folder.
        split: folder in it, for instance ``train``.
        classes: the training split's classes; None when this is the training split.

    Raises:
        UserError: the split is missing or has no class folders, a class is empty or unknown to training.
    """
    folder = Path(root) / split
    if not folder.is_dir():
        raise UserError(f"{folder} does not exist: expected {split}/<class name>/<image> in {root}")
    names = sorted(
        entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")
    )
    if not names:
        raise UserError(f"{folder} has no class folders: sort its images into {split}/<class name>/")
    known = names if classes is None else classes
    if unknown := sorted(set(names) - set(known)):
        raise UserError(
            f"{folder / unknown[0]}: class {unknown[0]!r} has no training images: "
            f"add them to the training split or remove this folder"
        )
    index = {name: label for label, name in enumerate(known)}
    paths, labels = [], []
    for name in names:
        images = sorted(
            path.relative_to(root).as_posix()
            for path in (folder / name).rglob("*")
            if path.suffix.lower() in IMAGE_TYPES and path.is_file() and not path.name.startswith(".")
        )
        if not images:
            raise UserError(f"{folder / name} holds no images: add some or remove the folder")
        paths += images
        labels += [index[name]] * len(images)
    if classes is None and len(names) < 2:
        raise UserError(f"{folder} has one class only ({names[0]}): a classifier needs at least two")
    return ImageSplit(Path(root), paths, np.asarray(labels, dtype=np.int64), list(known))


def _open_some(images: ImageSplit) -> int:
    """Open evenly chosen pictures, and say how many."""
    chosen = np.unique(np.linspace(0, len(images) - 1, min(len(images), OPENED)).round().astype(int))
    with ThreadPoolExecutor() as pool:
        for _ in pool.map(lambda index: images.image(index).size, chosen):
            pass
    return len(chosen)


def _no_images(folder: Path) -> str | None:
    classes = [entry for entry in entries(folder) if entry.is_dir()]
    if not classes:
        return f"no {folder.name}/<class name>/<image>"
    if not any(entry.suffix.lower() in IMAGE_TYPES for entry in entries(classes[0])):
        return f"no images in {folder.name}/{classes[0].name}"
    return None
