"""Labelled images of any layout, by the folder they lie in."""

from __future__ import annotations

from pathlib import Path

from benchmark.data import image_folder
from benchmark.data.images import ImageSplit


def read_split(root: Path, split: str, classes: list[str] | None = None) -> ImageSplit:
    """List the images of a split.

    Args:
        root: the data set's folder.
        split: name of the split, for instance ``train``.
        classes: the training split's classes; None when this is the training split.

    Raises:
        UserError: the split is missing or empty, or has classes that training has not.
    """
    return image_folder.read_split(root, split, classes)
