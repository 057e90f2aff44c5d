"""Looking at data sets before anything is trained on them: what is wrong is said in one line."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from common.errors import UserError

COCO_2017 = {"train": 118_287, "val": 5_000}
ADE20K_2016 = {"training": 20_210, "validation": 2_000}
ADE20K_CLASSES = 150


class DataReport(NamedTuple):
    """What was found in data that can be used: one line, and what is odd about them without being wrong."""

    summary: str
    warnings: tuple[str, ...] = ()


def check_coco(path: Path) -> DataReport:
    """Check a data set in COCO's layout: ``annotations/instances_<split>.json`` and one folder of images
    per split.

    COCO itself has train2017 and val2017; another set may have train, val and test. Every annotation must
    belong to an image and a category, have a box inside its image and a mask, and every image must be
    there.

    Raises:
        UserError: the first thing that is wrong, and what to do about it.
    """
    path = Path(path)
    if not path.is_dir():
        raise UserError(f"{path} does not exist: give the folder that holds annotations/ and the images")
    files = sorted((path / "annotations").glob("instances_*.json"))
    if not files:
        inner = next(iter(sorted(path.glob("*/annotations/instances_*.json"))), None)
        hint = f"did you mean {inner.parents[1]}?" if inner else "unpack annotations_trainval2017.zip there"
        raise UserError(f"{path} has no annotations/instances_*.json: {hint}")
    found, warnings, categories = {}, [], None
    for file in files:
        split = file.stem.removeprefix("instances_")
        content = _read_coco(file)
        names = [entry["name"] for entry in sorted(content["categories"], key=lambda entry: entry["id"])]
        if categories is not None and names != categories:
            raise UserError(f"{file} has other categories than {files[0].name}: both must list the same")
        categories = names
        _check_images(file, content, path / split)
        found[split] = len(content["images"])
        warnings += _check_annotations(file, content)
    splits = set(found)
    for needed in ("train", "val"):
        if not splits & {needed, f"{needed}2017"}:
            raise UserError(
                f"{path / 'annotations'} has no instances_{needed}2017.json: the {needed} split is missing"
            )
    for split, number in COCO_2017.items():
        if found.get(f"{split}2017", number) != number:
            warnings.append(f"{split}2017 has {found[f'{split}2017']} images, COCO 2017 has {number}")
    counts = ", ".join(f"{split} {number}" for split, number in found.items())
    return DataReport(f"{path}: COCO format, {len(categories)} categories, images: {counts}", tuple(warnings))


def check_ade20k(path: Path) -> DataReport:
    """Check a data set in the layout of ADEChallengeData2016: ``images/<split>/*.jpg``,
    ``annotations/<split>/*.png``.

    Annotations are 8-bit single-channel pictures of their image's size with values 0 (other) to the number of
    classes: 150, or the rows of ``classes.csv``.

    Raises:
        UserError: the first thing that is wrong, and what to do about it.
    """
    path = Path(path)
    if not path.is_dir():
        raise UserError(f"{path} does not exist: give the folder ADEChallengeData2016")
    if (path / "ADEChallengeData2016").is_dir():
        raise UserError(f"{path} holds ADEChallengeData2016: give {path / 'ADEChallengeData2016'}")
    if (
        (path / "images" / "ADE").is_dir()
        or list(path.glob("index_ade20k*"))
        or list(path.glob("*/index_ade20k*"))
    ):
        raise UserError(
            f"{path} is the full ADE20K_2021_17_01, whose labels are another set: "
            "download ADEChallengeData2016.zip (SceneParse150)"
        )
    for split in ADE20K_2016:
        for kind in ("images", "annotations"):
            if not (path / kind / split).is_dir():
                raise UserError(
                    f"{path / kind / split} does not exist: unpack ADEChallengeData2016.zip again"
                )
    classes, known = _ade20k_classes(path)
    found, warnings = {}, []
    for folder in sorted(entry for entry in (path / "images").iterdir() if entry.is_dir()):
        images = {file.stem: file for file in folder.glob("*.jpg")}
        labels = {file.stem: file for file in (path / "annotations" / folder.name).glob("*.png")}
        if not images:
            raise UserError(f"{folder} has no .jpg files: unpack the images again")
        if missing := sorted(images.keys() - labels.keys()):
            raise UserError(
                f"{len(missing)} images in {folder} have no annotation, "
                f"for instance {missing[0]}.jpg: unpack again"
            )
        if extra := labels.keys() - images.keys():
            warnings.append(f"annotations/{folder.name} has {len(extra)} files without an image")
        found[folder.name] = len(images)
        pairs = [(images[name], labels[name], classes) for name in sorted(images)]
        with ThreadPoolExecutor() as pool:
            for problem in pool.map(_label_problem, *zip(*pairs, strict=True)):
                if problem:
                    raise UserError(problem)
    if known:
        for split, number in ADE20K_2016.items():
            if found[split] != number:
                warnings.append(f"{split} has {found[split]} images, ADEChallengeData2016 has {number}")
    counts = ", ".join(f"{split} {number}" for split, number in found.items())
    return DataReport(f"{path}: ADE20K layout, {classes} classes, images: {counts}", tuple(warnings))


CHECKS = {"coco": check_coco, "ade20k": check_ade20k}
"""The checks, by the name that task configs give the data."""


def _read_coco(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read ({error}): download it again") from None
    if not isinstance(content, dict):
        raise UserError(
            f"{file} is no COCO annotation file: it must be an object with images, annotations, categories"
        )
    for key in ("images", "annotations", "categories"):
        if not content.get(key):
            raise UserError(f"{file} has no {key}: it is no COCO instances file")
    return content


def _check_images(file: Path, content: dict[str, Any], folder: Path) -> None:
    if not folder.is_dir():
        raise UserError(f"{folder} does not exist: the images of {file.name} belong there")
    present = {entry.name for entry in folder.iterdir()}
    missing = [image["file_name"] for image in content["images"] if image["file_name"] not in present]
    if missing:
        raise UserError(
            f"{len(missing)} images of {file.name} are not in {folder}, for instance {missing[0]}"
        )


def _check_annotations(file: Path, content: dict[str, Any]) -> list[str]:
    images = {image["id"]: image for image in content["images"]}
    categories = {category["id"] for category in content["categories"]}
    outside, ids = 0, set()
    for annotation in content["annotations"]:
        name = f"annotation {annotation.get('id')} of {file}"
        if annotation.get("id") in ids:
            raise UserError(f"{name}: the id is used twice")
        ids.add(annotation.get("id"))
        image = images.get(annotation.get("image_id"))
        if image is None:
            raise UserError(f"{name} belongs to no image (image_id {annotation.get('image_id')})")
        if annotation.get("category_id") not in categories:
            raise UserError(
                f"{name} has category_id {annotation.get('category_id')}, which categories does not list"
            )
        if not annotation.get("segmentation"):
            raise UserError(f"{name} has no segmentation: Mask R-CNN needs masks")
        x, y, width, height = annotation["bbox"]
        # COCO's own boxes overshoot by fractions of a pixel
        outside += (
            min(x, y, width, height) < 0 or x + width > image["width"] + 1 or y + height > image["height"] + 1
        )
    warnings = [f"{file.name}: {outside} boxes reach beyond their image"] if outside else []
    if 0 in ids:
        warnings.append(
            f"{file.name} has an annotation with id 0, which COCO's evaluation never counts as found"
        )
    return warnings


def _ade20k_classes(path: Path) -> tuple[int, bool]:
    """Number of classes, and whether they are ADE20K's own 150."""
    from benchmark.data.dataset_classes import ade20k_classes

    names = ade20k_classes(path)
    return (ADE20K_CLASSES, True) if names is None else (len(names), False)


def _label_problem(image_file: Path, label_file: Path, classes: int) -> str | None:
    import numpy as np
    from PIL import Image

    try:
        with Image.open(label_file) as label, Image.open(image_file) as image:
            if label.mode not in {"L", "P"}:
                return f"{label_file} is no 8-bit index picture ({label.mode}): is this ADEChallengeData2016?"
            if label.size != image.size:
                (width, height), (image_width, image_height) = label.size, image.size
                return f"{label_file} is {width}x{height}, its image {image_width}x{image_height}"
            highest = int(np.asarray(label).max())
    except OSError as error:
        return f"{label_file} or its image cannot be read ({error}): unpack again"
    if highest > classes:
        return f"{label_file} has label {highest}, there are {classes} classes: is this ADEChallengeData2016?"
    return None
