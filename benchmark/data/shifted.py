"""Test sets that show a task's classes in another way: ImageNet-V2, -R, -A, -Sketch, -C and their like."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmark.data import image_folder, labelled
from benchmark.data.images import IMAGE_TYPES, ImageSplit
from common.errors import UserError


class Shifted(NamedTuple):
    """One part of a further test set.

    Attributes:
        corruption: what was done to its pictures, where the set says so.
        severity: how strongly, 1 to 5.
        images: labels are indices into the task's own classes.
    """

    corruption: str | None
    severity: int | None
    images: ImageSplit


def read_shifted(root: Path, classes: list[str]) -> list[Shifted]:
    """The parts of a further test set, which may show some of the classes only.

    It is a folder of ``<class>/<image>`` (or with splits, of which ``test``, else ``val`` is taken), a csv or
    a saved data set; or ``<corruption>/<severity>/<class>/<image>``, as ImageNet-C is laid out, whatever the
    folders above the corruption are called. ImageNet-V2's folders are the numbers of the classes in order.

    Args:
        classes: of the task.

    Raises:
        UserError: it cannot be read, or shows a class that the task has not.
    """
    root = Path(root)
    if root.is_dir() and (folders := _severities(root)):
        return [
            Shifted(folder.parent.name, int(folder.name), _read(folder, "", classes)) for folder in folders
        ]
    found = labelled.splits(root)
    split = next((name for name in ("test", "val", "validation") if name in found), "")
    if found and not split:
        raise UserError(f"{root} has the splits {', '.join(found)}, and none called test or val")
    return [Shifted(None, None, _read(root, split, classes))]


def _severities(root: Path) -> list[Path]:
    """Folders named by a severity, below folders named by corruptions, at most two levels down."""
    for pattern in ("*/[1-5]", "*/*/[1-5]"):
        found = sorted(path for path in root.glob(pattern) if path.is_dir())
        # of ImageNet-V2, whose classes are numbers, 1 holds images
        if found and not any(entry.suffix.lower() in IMAGE_TYPES for entry in found[0].iterdir()):
            return found
    return []


def _read(root: Path, split: str, classes: list[str]) -> ImageSplit:
    in_folders = labelled.form_of(root) is image_folder
    names = image_folder.class_folders(root / split) if in_folders else []
    numbers = bool(names) and all(name.isdecimal() and int(name) < len(classes) for name in names)
    if numbers and not set(names) <= set(classes):
        images = labelled.read_split(root, split, names)
        labels = np.asarray([int(name) for name in names])[images.labels]
        return replace(images, labels=labels, classes=classes)
    try:
        return labelled.read_split(root, split, classes)
    except UserError as error:
        if "has no training images" in str(error):
            raise UserError(
                f"{error} (a further test set shows the classes of the task's own data)"
            ) from None
        raise
