"""The layout of ADEChallengeData2016: ``images/<split>/*.jpg`` and ``annotations/<split>/*.png``.

Classes are ADE20K's own 150, or those of a ``classes.csv`` (index,name[,kind]) in the folder.
"""

from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmark.data.base import DataCheck, DataLayout, counted, entries
from benchmark.data.images import IMAGE_TYPES
from common.errors import UserError
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

    def check(self, path: Path) -> DataCheck:
        """Every image must have an annotation of its size, with no label above the number of classes."""
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
            suffix = image_suffix(folder)
            images = {file.stem: file for file in folder.glob(f"*{suffix}")}
            labels = {file.stem: file for file in (path / "annotations" / folder.name).glob("*.png")}
            if missing := sorted(images.keys() - labels.keys()):
                raise UserError(
                    f"{len(missing)} images in {folder} have no annotation, "
                    f"for instance {missing[0]}{suffix}: unpack again"
                )
            if extra := labels.keys() - images.keys():
                warnings.append(f"annotations/{folder.name} has {len(extra)} files without an image")
            found[folder.name] = len(images)
            pairs = [(images[name], labels[name], classes) for name in sorted(images)]
            with ThreadPoolExecutor() as pool:
                for problem in pool.map(_label_problem, *zip(*pairs, strict=True)):
                    if problem:
                        raise UserError(problem)
        if names is None:
            for split, number in ADE20K_2016.items():
                if found[split] != number:
                    warnings.append(f"{split} has {found[split]} images, ADEChallengeData2016 has {number}")
        summary = f"{path}: ADE20K layout, {classes} classes, images: {counted(found)}"
        return DataCheck(summary, tuple(warnings))


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
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{file} cannot be read as index,name ({type(error).__name__}: {error})") from None
    rows.pop(0, None)
    if sorted(rows) != list(range(1, len(rows) + 1)) or not rows:
        raise UserError(f"{file} must number its classes 1, 2, ... (0 is other)")
    ordered = [rows[index] for index in sorted(rows)]
    for row in ordered:
        if row.get("kind", KINDS[0]) not in KINDS:
            raise UserError(f"{file}: class {row['name']!r} is of kind {row['kind']!r}: give thing or stuff")
    return ordered


def _label_problem(image_file: Path, label_file: Path, classes: int) -> str | None:
    import numpy as np

    try:
        with opened(label_file) as label, opened(image_file) as image:
            if label.mode not in {"L", "P"}:
                return f"{label_file} is no 8-bit index picture ({label.mode}): is this ADEChallengeData2016?"
            if label.size != image.size:
                (width, height), (image_width, image_height) = label.size, image.size
                return f"{label_file} is {width}x{height}, its image {image_width}x{image_height}"
            highest = int(np.asarray(label).max())
    except BadPicture as error:
        return f"{label_file} or its image cannot be read ({error}): unpack again"
    if highest > classes:
        return f"{label_file} has label {highest}, there are {classes} classes: is this ADEChallengeData2016?"
    return None
