"""The layout of ADEChallengeData2016: ``images/<split>/*.jpg`` and ``annotations/<split>/*.png``.

Classes are ADE20K's own 150, or those of a ``classes.csv`` (index,name[,kind]) in the folder.
"""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path

from benchmark.data.base import OPENED, DataCheck, DataLayout, counted, entries, evenly, refuse_faults
from benchmark.data.images import IMAGE_TYPES, image_size, picture_fault
from common.errors import UserError, first_line
from common.files import within
from common.pictures import BadPicture, opened

ADE20K_2016 = {"training": 20_210, "validation": 2_000}
ADE20K_CLASSES = 150
KINDS = ("thing", "stuff")


class Ade20k(DataLayout):
    """Annotations are 8-bit single-channel pictures of their image's size, 0 (other) to the number of
    classes.
    """

    name = "ade20k"
    holds = "images/<split>/*.jpg and annotations/<split>/*.png, as ADEChallengeData2016"

    def glance(self, path: Path) -> str | None:
        for split in ADE20K_2016:
            for kind, suffixes in (("images", IMAGE_TYPES), ("annotations", {".png"})):
                if not any(entry.suffix.lower() in suffixes for entry in entries(path / kind / split)):
                    return f"no {kind}/{split}/*{'.jpg' if kind == 'images' else '.png'}"
        return None

    def check(self, path: Path, thorough: bool = False) -> DataCheck:
        """Every image must have an annotation of its size; up to `OPENED` of a split must have no label above
        the number of classes."""
        path = Path(path)
        if (
            (path / "images" / "ADE").is_dir()
            or list(path.glob("index_ade20k*"))
            or list(path.glob("*/index_ade20k*"))
        ):
            raise UserError(
                f"{path} is the full ADE20K_2021_17_01, whose labels are another set: "
                "download ADEChallengeData2016.zip (SceneParse150)"
            )
        path = self.folder(path)
        for split in ADE20K_2016:
            for kind in ("images", "annotations"):
                require_folder(path, f"{kind}/{split}")
        names = class_names(path)
        classes = ADE20K_CLASSES if names is None else len(names)
        found, warnings = {}, []
        for folder in sorted(entry for entry in (path / "images").iterdir() if entry.is_dir()):
            require_folder(path, f"annotations/{folder.name}")
            labels = path / "annotations" / folder.name
            pairs = pair(folder, labels)
            if extra := sum(1 for _ in labels.glob("*.png")) - len(pairs):
                warnings.append(f"annotations/{folder.name} has {extra} files without an image")
            found[folder.name] = len(pairs)
            refuse_faults(partial(_pair_fault, thorough=thorough), *zip(*pairs, strict=True))
            some = pairs if thorough else [pairs[index] for index in evenly(len(pairs), OPENED)]
            refuse_faults(partial(_values_fault, classes=classes), [label for _, label in some])
        if names is None:
            for split, number in ADE20K_2016.items():
                if found[split] != number:
                    warnings.append(f"{split} has {found[split]} images, ADEChallengeData2016 has {number}")
        summary = f"{path}: ADE20K layout, {classes} classes, images: {counted(found)}"
        return DataCheck(summary, tuple(warnings))


def pair(images: Path, labels: Path) -> list[tuple[Path, Path]]:
    """The images of a split with their annotations, in the order of their names.

    The folders may be links; what is in them may not lead out of them.

    Raises:
        UserError: there are no images, one has no annotation, or a file is a link to somewhere else.
    """
    suffix = image_suffix(images)
    found = {file.stem: file for file in images.iterdir() if file.suffix == suffix}
    known = {file.stem: file for file in labels.iterdir() if file.suffix == ".png"}
    if missing := sorted(found.keys() - known.keys()):
        raise UserError(
            f"{len(missing)} images in {images} have no annotation, "
            f"for instance {missing[0]}{suffix}: unpack again"
        )
    pairs = [(found[name], known[name]) for name in sorted(found)]
    files = [file for both in pairs for file in both]
    if outside := [file for file in files if file.is_symlink() and within(file.parent, file.name) is None]:
        raise UserError(
            f"{len(outside)} files lead out of their folder, for instance {outside[0]}: put them there"
        )
    return pairs


def image_suffix(folder: Path) -> str:
    """What the images of a split end in, as it is written: ``.jpg``, ``.JPG``, ``.png`` ...

    Raises:
        UserError: there are none, or they end in several ways: MMSegmentation looks for one.
    """
    found = sorted({file.suffix for file in folder.iterdir() if file.suffix.lower() in IMAGE_TYPES})
    if not found:
        raise UserError(f"{folder} has no images: unpack them again")
    if len(found) > 1:
        raise UserError(f"{folder} has images that end in {' and '.join(found)}: let all end in one way")
    return found[0]


def image_names(folder: Path) -> list[str]:
    """Names of a split's images, without suffix, in order."""
    return sorted(file.stem for file in folder.iterdir() if file.suffix.lower() in IMAGE_TYPES)


def some_images(folder: Path, count: int) -> list[str]:
    """Names, without suffix, of so many images of a split, evenly spaced in the order of their names."""
    names = image_names(folder)
    count = min(count, len(names))
    return [names[index * len(names) // count] for index in range(count)]


def class_names(root: Path) -> list[str] | None:
    """Names of classes 1, 2, ... from ``classes.csv`` (index,name); None where ADE20K's own 150 are meant.

    Raises:
        UserError: the file does not number its classes 1, 2, ..., or names a kind that is none.
    """
    rows = _class_rows(root)
    return rows and [row["name"] for row in rows]


def class_kinds(root: Path) -> list[str] | None:
    """Kinds of classes 1, 2, ...: each ``thing`` or ``stuff``, as in COCO panoptic.

    Returns:
        The optional third column of ``classes.csv`` (index,name,kind); None without the file or the column.

    Raises:
        UserError: as `class_names`.
    """
    rows = _class_rows(root)
    return [row["kind"] for row in rows] if rows and "kind" in rows[0] else None


def require_folder(root: Path, folder: str) -> None:
    """Refuse a folder of images or annotations that is not there.

    Raises:
        UserError: it is not.
    """
    if not (Path(root) / folder).is_dir():
        raise UserError(
            f"{Path(root) / folder} does not exist: is {root} ADEChallengeData2016, unpacked completely?"
        )


def _class_rows(root: Path) -> list[dict[str, str]] | None:
    file = Path(root) / "classes.csv"
    if not file.is_file():
        return None
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            rows = {int(row["index"]): row for row in csv.DictReader(stream) if row["name"] is not None}
    except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
        raise UserError(
            f"{file} cannot be read as index,name ({type(error).__name__}: {first_line(error)})"
        ) from None
    rows.pop(0, None)
    if sorted(rows) != list(range(1, len(rows) + 1)) or not rows:
        raise UserError(f"{file} must number its classes 1, 2, ... (0 is other)")
    ordered = [rows[index] for index in sorted(rows)]
    for row in ordered:
        if row.get("kind", KINDS[0]) not in KINDS:
            raise UserError(f"{file}: class {row['name']!r} is of kind {row['kind']!r}: give thing or stuff")
    return ordered


def label_fault(file: Path | str, size: tuple[int, int]) -> str | None:
    """What is wrong with an annotation as far as its header tells; None where nothing is.

    Args:
        size: width and height of its image.
    """
    try:
        with opened(file, ("PNG",)) as label:
            mode, found = label.mode, label.size
    except BadPicture as error:
        return f"{file} cannot be read ({error}): unpack again"
    if mode not in {"L", "P"}:
        return f"{file} is no 8-bit index picture ({mode}): is this ADEChallengeData2016?"
    if found != size:
        return f"{file} is {found[0]}x{found[1]}, its image {size[0]}x{size[1]}"
    return None


def _pair_fault(image: Path, label: Path, thorough: bool) -> str | None:
    try:
        size = image_size(image)
    except UserError as error:
        return str(error)
    if thorough and (fault := picture_fault(image)):
        return fault
    return label_fault(label, size)


def _values_fault(file: Path, classes: int) -> str | None:
    import numpy as np

    try:
        with opened(file, ("PNG",)) as label:
            highest = int(np.asarray(label).max())
    except BadPicture as error:
        return f"{file} cannot be read ({error}): unpack again"
    if highest > classes:
        return f"{file} has label {highest}, there are {classes} classes: is this ADEChallengeData2016?"
    return None
