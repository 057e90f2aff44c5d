"""Labelled images in folders: ``<split>/<class name>/<image>``, as torchvision's ImageFolder reads them."""

from __future__ import annotations

from pathlib import Path

from benchmark.data.images import IMAGE_TYPES, ImageSplit
from benchmark.data.labels import check_names, coded
from common.errors import UserError

SPLITS = ("train", "val", "validation", "test")


def splits(root: Path) -> list[str]:
    """Names of the splits; none where the folder holds the classes themselves."""
    return [name for name in SPLITS if (Path(root) / name).is_dir()]


def class_folders(folder: Path) -> list[str]:
    """Names of the folders in a split, sorted; none where there is no such folder."""
    entries = folder.iterdir() if folder.is_dir() else ()
    return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def has_several(root: Path) -> bool:
    """Whether an image may have several labels: it lies in one folder."""
    return False


def read_split(root: Path, split: str, classes: list[str] | None = None, several: bool = False) -> ImageSplit:
    """List the images of a split; ``""`` is all of a folder without splits.

    Args:
        root: the data set's folder.
        split: folder in it, for instance ``train``.
        classes: the training split's classes; None when this is the training split.
        several: give labels as those of images that may have several.

    Raises:
        UserError: the split is missing or has no class folders, a class is empty or unknown to training.
    """
    folder = Path(root) / split
    if not folder.is_dir():
        raise UserError(f"{folder} does not exist: expected {split}/<class name>/<image> in {root}")
    names = class_folders(folder)
    if not names:
        raise UserError(
            f"{folder} has no class folders: sort its images into {split or '<split>'}/<class name>/"
        )
    known = names if classes is None else classes
    if unknown := sorted(set(names) - set(known)):
        raise UserError(
            f"{folder / unknown[0]}: class {unknown[0]!r} has no training images: "
            f"add them to the training split or remove this folder"
        )
    if classes is None:
        check_names(names, folder)
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
        labels += [[name]] * len(images)
    return ImageSplit(Path(root), paths, coded(labels, known, several, folder), list(known))
