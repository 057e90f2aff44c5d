"""Names of classes, checked, and what of an image they say."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from common.errors import UserError


def check_names(names: Sequence[str], where: Path) -> None:
    """Refuse names of classes that people or file systems take for one.

    Raises:
        UserError: two differ by case or by the spelling of their characters alone, or there is one only.
    """
    seen: dict[str, str] = {}
    for name in names:
        key = unicodedata.normalize("NFC", name).casefold()
        if key in seen:
            raise UserError(
                f"{where}: classes {seen[key]!r} and {name!r} differ in case or in the coding of their "
                "characters alone: give one of them another name, or make them one"
            )
        seen[key] = name
    if len(names) < 2:
        raise UserError(f"{where} has one class only ({', '.join(names)}): a classifier needs at least two")


def is_imagenet1k(names: Sequence[str]) -> bool:
    """Whether classes are called like ImageNet-1k's, by a thousand WordNet ids."""
    return len(names) == 1000 and all(re.fullmatch(r"n\d{8}", name) for name in names)


def coded(labels: Sequence[Iterable[str]], classes: Sequence[str], several: bool, where: Path) -> np.ndarray:
    """Labels of images as numbers.

    Args:
        labels: of each image; where not `several`, exactly one.
        classes: all names.
        several: an image may show any number of classes.
        where: for messages.

    Returns:
        [N] int64, or with `several` [N, K] bool.

    Raises:
        UserError: a label is none of the classes.
    """
    index = {name: number for number, name in enumerate(classes)}
    for names in labels:
        for name in names:
            if name not in index:
                raise UserError(
                    f"{where}: class {name!r} has no training images: add them to the training split or "
                    "remove these"
                )
    if not several:
        return np.asarray([index[name] for names in labels for name in names], dtype=np.int64)
    found = np.zeros((len(labels), len(classes)), dtype=bool)
    for row, names in enumerate(labels):
        found[row, [index[name] for name in names]] = True
    return found
