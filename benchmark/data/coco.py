"""COCO's layout: ``annotations/instances_<split>.json`` and a folder of images for each split."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from benchmark.data.base import DataCheck, DataLayout, counted, entries, refuse_faults
from benchmark.data.images import picture_fault, size_fault
from benchmark.data.instances import odd, read_instances
from common.errors import UserError, quoted
from common.files import within

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

    def check(self, path: Path, thorough: bool = False) -> DataCheck:
        """Every annotation must belong to an image and a category, have a box and a mask of its image's size;
        every image must be there and have the size that the annotations say."""
        path = self.folder(path)
        files = sorted((path / "annotations").glob("instances_*.json"))
        if not files:
            raise UserError(
                f"{path} has no annotations/instances_*.json: unpack annotations_trainval2017.zip there"
            )
        found, warnings, categories = {}, [], None
        for file in files:
            split = file.stem.removeprefix("instances_")
            content = read_instances(file)
            names = [entry["name"] for entry in sorted(content["categories"], key=lambda entry: entry["id"])]
            if categories is not None and names != categories:
                raise UserError(f"{file} has other categories than {files[0].name}: both must list the same")
            categories = names
            check_images(file, content, path / split)
            images = content["images"]
            refuse_faults(
                picture_fault if thorough else size_fault,
                [path / split / image["file_name"] for image in images],
                [(image["width"], image["height"]) for image in images],
            )
            found[split] = len(content["images"])
            warnings += [f"{file.name}: {number} {words}" for words, number in odd(content).items()]
            if any(annotation["id"] == 0 for annotation in content["annotations"]):
                warnings.append(
                    f"{file.name} has an annotation with id 0, which COCO's evaluation never counts as found"
                )
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
        UserError: as `benchmark.data.instances.read_instances`, of what a file needs to name them.
    """
    return [category["name"] for category in read_instances(annotations, objects=False)["categories"]]


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


def check_images(file: Path, content: dict[str, Any], folder: Path) -> None:
    """Refuse annotations of images that are not there, or not in their folder.

    Args:
        file: of the annotations, for the message.
        content: what it holds.
        folder: where the images should be; it may be a link, they may not lead out of it.

    Raises:
        UserError: the folder or some images are missing, or images are links to somewhere else.
    """
    require_images(folder, file)
    with os.scandir(folder) as listed:
        here = {entry.name for entry in listed if entry.is_file(follow_symlinks=False)}
    missing, outside = [], []
    for name in (image["file_name"] for image in content["images"]):
        if name in here:
            continue
        # below a folder, or a link
        place = within(folder, name)
        if place is None:
            outside.append(name)
        elif not os.path.isfile(place):  # False, too, where the name is too long
            missing.append(name)
    for found, words in ((outside, f"lead out of {folder}"), (missing, f"are not in {folder}")):
        if found:
            raise UserError(
                f"{len(found)} images of {file.name} {words}, for instance {quoted(found[0])}: put them there"
            )
