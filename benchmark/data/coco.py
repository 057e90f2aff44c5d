"""COCO's layout: ``annotations/instances_<split>.json`` and a folder of images for each split."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmark.data.base import DataCheck, DataLayout, counted, entries
from common.errors import UserError

COCO_2017 = {"train": 118_287, "val": 5_000}
NEEDED = ("train", "val")


class Coco(DataLayout):
    """COCO's own splits are train2017 and val2017; another set may have train, val and test."""

    name = "coco"
    holds = "annotations/instances_<split>.json and a folder of images for each split"

    def glance(self, path: Path) -> str | None:
        for split in NEEDED:
            year = next(
                (y for y in ("2017", "") if (path / f"annotations/instances_{split}{y}.json").is_file()), None
            )
            if year is None:
                return f"no annotations/instances_{split}2017.json"
            with (path / f"annotations/instances_{split}{year}.json").open("rb") as file:
                if not file.read(64).lstrip().startswith(b"{"):
                    return f"annotations/instances_{split}{year}.json that is no annotation file"
            if not entries(path / f"{split}{year}"):
                return f"no images in {split}{year}"
        return None

    def check(self, path: Path) -> DataCheck:
        """Every annotation must belong to an image and a category, have a box inside its image and a mask;
        every image must be there."""
        path = self.folder(path)
        files = sorted((path / "annotations").glob("instances_*.json"))
        if not files:
            raise UserError(
                f"{path} has no annotations/instances_*.json: unpack annotations_trainval2017.zip there"
            )
        found, warnings, categories = {}, [], None
        for file in files:
            split = file.stem.removeprefix("instances_")
            content = read_annotations(file)
            names = [entry["name"] for entry in sorted(content["categories"], key=lambda entry: entry["id"])]
            if categories is not None and names != categories:
                raise UserError(f"{file} has other categories than {files[0].name}: both must list the same")
            categories = names
            check_images(file, content, path / split)
            found[split] = len(content["images"])
            warnings += _check_annotations(file, content)
        for split in NEEDED:
            if not found.keys() & {split, f"{split}2017"}:
                raise UserError(
                    f"{path / 'annotations'} has no instances_{split}2017.json: the {split} split is missing"
                )
        for split, number in COCO_2017.items():
            if found.get(f"{split}2017", number) != number:
                warnings.append(f"{split}2017 has {found[f'{split}2017']} images, COCO 2017 has {number}")
        summary = f"{path}: COCO format, {len(categories)} categories, images: {counted(found)}"
        return DataCheck(summary, tuple(warnings))


def class_names(annotations: Path) -> list[str]:
    """Names of the categories in the order of the file, which is the order MMDetection numbers them in.

    Raises:
        UserError: the file is missing or no COCO annotation file.
    """
    try:
        content = json.loads(Path(annotations).read_text(encoding="utf-8"))
        return [category["name"] for category in content["categories"]]
    except FileNotFoundError:
        raise UserError(
            f"{annotations} does not exist: give the folder that holds annotations/ with --data NAME=PATH"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{annotations} is no COCO annotation file ({type(error).__name__}: {error})"
        ) from None


def without_year(root: Path, ann_file: str, folder: str) -> tuple[str, str]:
    """Names of a split's files as they are called there: COCO's own, or without its year.

    Args:
        root: the data's folder.
        ann_file, folder: of a config: ``annotations/instances_train2017.json`` and ``train2017``.
    """
    plain = ann_file.replace("2017", "")
    if (Path(root) / ann_file).is_file() or not (Path(root) / plain).is_file():
        return ann_file, folder
    return plain, folder.replace("2017", "")


def require_images(folder: Path, annotations: Path) -> None:
    """Refuse a folder of images that is not there.

    Raises:
        UserError: it is not; the message names the annotation file that lists the images.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} does not exist: the images of {annotations.name} belong there")


def read_annotations(file: Path) -> dict[str, Any]:
    """An instances file.

    Raises:
        UserError: it cannot be read, or is none.
    """
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


def check_images(file: Path, content: dict[str, Any], folder: Path) -> None:
    """Refuse annotations of images that are not there.

    Args:
        file: of the annotations, for the message.
        content: what it holds.
        folder: where the images should be.

    Raises:
        UserError: the folder or some images are missing.
    """
    require_images(folder, file)
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
