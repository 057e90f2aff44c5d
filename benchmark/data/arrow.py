"""Labelled images in a folder that Hugging Face's ``datasets`` saved (`save_to_disk`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.data.images import ImageSplit, decode, file_states
from benchmark.data.labels import check_names, coded
from common.errors import UserError, one_line, quoted
from common.files import read_json, within
from common.names import suggest

if TYPE_CHECKING:
    from datasets import Dataset
    from PIL.Image import Image

MARKS = ("dataset_dict.json", "state.json")
"""Files that such folders hold: of several splits, and of one."""

LABELS = ("label", "labels", "fine_label", "class", "category", "target")
"""Names of the column of labels, the likeliest first."""


def recognises(root: Path) -> bool:
    return any((root / mark).is_file() for mark in MARKS)


def splits(root: Path) -> list[str]:
    """Names of the splits; none where the folder is one data set without any.

    Raises:
        UserError: the file that names them names none, or folders elsewhere.
    """
    file = root / MARKS[0]
    if not file.is_file():
        return []
    content = read_json(file)
    names = content.get("splits") if isinstance(content, dict) else None
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise UserError(f"{file} names no splits: save the data set again")
    if outside := [name for name in names if within(root, name) is None]:
        raise UserError(f"{file} names a split that leads out of {root} ({quoted(outside[0])})")
    return sorted(names)


def has_several(root: Path) -> bool:
    """Whether an image may have several labels."""
    found = _labels_of(_load(root / next(iter(splits(root)), "")))
    return found is not None and found[2]


def read_split(root: Path, split: str, classes: list[str] | None = None, several: bool = False) -> ImageSplit:
    """The images of a split; ``""`` is all of a folder without splits.

    Args:
        root: the folder.
        split: its name.
        classes: the training split's classes; None when this is the training split.
        several: an image may have several labels, or none.

    Raises:
        UserError: it cannot be read, or has no column of images, or of labels.
    """
    from datasets import ClassLabel

    known = splits(root)
    if split and split not in known:
        raise UserError(f"{root} has no split {split!r}: {suggest(split, known)}")
    folder = root / split
    data = _load(folder)
    if (found := _labels_of(data)) is None:
        raise UserError(
            f"{folder} has no column of labels among {', '.join(data.features)}: call it {LABELS[0]!r}"
        )
    column, kind, many = found
    if many and not several:
        raise UserError(f"{folder}: column {column} has several labels an image: use a multi-label task")
    try:
        values = data[column][:] if len(data) else []
    except Exception as error:  # as `_load`
        raise UserError(f"{folder}: column {column} cannot be read ({one_line(error)})") from None
    values = values if many else [[value] for value in values]
    if any(row is None or None in row for row in values):
        raise UserError(
            f"{folder}: column {column} has rows without a label: a split without labels is no use"
        )
    if many and values and not isinstance(kind, ClassLabel):
        lengths = {len(row) for row in values}
        if len(lengths) == 1 and lengths != {1} and {v for row in values for v in row} <= {0, 1}:
            raise UserError(
                f"{folder}: column {column} says of every class whether it is there, but not what it is "
                "called: give each image the names of its classes"
            )
    if isinstance(kind, ClassLabel):
        names = list(kind.names)
        unknown = [value for row in values for value in row if not 0 <= value < len(names)]
        if unknown:
            raise UserError(
                f"{folder}: {len(unknown)} labels are none of the {len(names)} classes ({unknown[0]}): a "
                "split without labels cannot be used"
            )
        rows = [[names[value] for value in row] for row in values]
    else:
        rows = [[str(value) for value in row] for row in values]
        names = sorted({name for row in rows for name in row})
    if not rows:
        raise UserError(f"{folder} holds no images")
    if classes is None:
        check_names(names, folder)
    labels = coded(rows, classes or names, several, folder)
    paths = [f"{split or 'all'}/{number:08d}" for number in range(len(rows))]
    return ImageSplit(root, paths, labels, list(classes or names), ArrowPictures(folder))


@dataclass(frozen=True)
class ArrowPictures:
    """Pictures in the column of images of a saved data set, called by the number of their row."""

    folder: Path

    def open(self, path: str) -> Image:
        number = path.rpartition("/")[2]
        try:
            cell = _images(self.folder)[int(number)]
        except UserError:
            raise
        except Exception as error:  # as `_load`
            raise UserError(f"{self.folder}, row {number} cannot be read ({one_line(error)})") from None
        if cell is None or cell["bytes"] is None:
            raise UserError(
                f"{self.folder}, row {number} holds no picture (at most the path of one): save the data set "
                "with its pictures in it"
            )
        return decode(cell["bytes"], f"{self.folder}, row {number}")

    def state(self, paths: Sequence[str]) -> list[Any]:
        return [*file_states(self.folder, sorted(file.name for file in self.folder.glob("*.arrow"))), *paths]


def _labels_of(data: Dataset) -> tuple[str, Any, bool] | None:
    """The column of labels, the feature of one label, and whether an image has a list of them."""
    column = next((name for name in LABELS if name in data.features), None)
    if column is None:
        return None
    feature = data.features[column]
    kind = getattr(feature, "feature", feature)
    return column, kind, kind is not feature


def _load(folder: Path) -> Dataset:
    from datasets import load_from_disk

    try:
        return load_from_disk(str(folder))
    except Exception as error:  # what a torn folder makes of the library differs
        raise UserError(f"{folder} is no data set saved by datasets ({one_line(error)})") from None


@lru_cache(maxsize=8)
def _images(folder: Path) -> Any:
    """The column of images, undecoded."""
    from datasets import Image

    data = _load(folder)
    column = next((name for name, feature in data.features.items() if isinstance(feature, Image)), None)
    if column is None:
        raise UserError(f"{folder} has no column of images among {', '.join(data.features)}")
    return data.cast_column(column, Image(decode=False))[column]
