"""Labelled images of any form: class folders, a csv, a saved Hugging Face data set, COCO's annotations."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from benchmark.data import arrow, coco_labels, image_folder, manifest
from benchmark.data.base import OPENED, DataCheck, DataLayout, counted, entries, evenly, refuse_faults
from benchmark.data.images import IMAGE_TYPES, Files, ImageSplit, size_fault
from benchmark.data.labels import is_imagenet1k
from common.errors import UserError

IMAGENET_1K = {"train": 1_281_167, "val": 50_000}


def form_of(root: Path) -> ModuleType:
    """The module that reads what lies there; folders of classes, where nothing else is recognised."""
    root = Path(root)
    if manifest.file_of(root):
        return manifest
    if arrow.recognises(root):
        return arrow
    return coco_labels if coco_labels.splits(root) else image_folder


def splits(root: Path) -> list[str]:
    """Names of the splits of a data set; none where it has none.

    Raises:
        UserError: it cannot be read.
    """
    return form_of(root).splits(Path(root))


def read_split(root: Path, split: str, classes: list[str] | None = None, several: bool = False) -> ImageSplit:
    """List the images of a split.

    Args:
        root: the data set's folder, or a csv.
        split: name of the split, for instance ``train``; ``""``: all of a data set without splits.
        classes: the training split's classes; None when this is the training split.
        several: an image may show several classes.

    Raises:
        UserError: the split is missing or empty, or has classes that training has not.
    """
    return form_of(root).read_split(Path(root), split, classes, several)


class LabelledImages(DataLayout):
    """A training split, and at least one of val and test with none but its classes; or no splits at all, of
    which tasks that say so judge by a share."""

    name = "image_folder"
    also = ("imagenet1k", "places365", "classification", "images")
    holds = (
        "<split>/<class name>/<image> with splits train and val or test, a manifest.csv (path,label[,split]) "
        "or a data set that Hugging Face's datasets saved"
    )

    def glance(self, path: Path) -> str | None:
        if form_of(path) in (manifest, arrow):
            return None
        if not image_folder.splits(path):
            return _no_images(path)
        if problem := _no_images(path / "train"):
            return problem
        problems = [_no_images(path / split) for split in ("val", "validation", "test")]
        return None if None in problems else problems[0]

    def one_folder_down(self, path: Path) -> Path | None:
        inner = super().one_folder_down(path)
        return None if inner is not None and inner.name in image_folder.SPLITS else inner

    def check(self, path: Path, thorough: bool = False) -> DataCheck:
        """Every class must have images, in training if anywhere; all files must be pictures as far as their
        headers tell, and of each split up to `OPENED` must be readable."""
        path = Path(path)
        if not manifest.file_of(path):
            path = self.folder(path)
        form = form_of(path)
        names = form.splits(path)
        several = form.has_several(path)
        first = next((name for name in ("train", "train2017") if name in names), "")
        if names and not first:
            raise UserError(f"{path} has no split train, only {', '.join(names)}")
        train = form.read_split(path, first, None, several)
        others = [name for name in names if name != first]
        found = {first or "all": train}
        found |= {name: form.read_split(path, name, train.classes, several) for name in others}
        if names and not others:
            raise UserError(f"{path} has no val/ and no test/: images that are not trained on must judge")
        for images in found.values():
            if images.pictures is None or isinstance(images.pictures, Files):
                refuse_faults(size_fault, [images.root / name for name in images.paths])
        opened = sum(_open(images, len(images) if thorough else OPENED) for images in found.values())
        counts = {name: len(images) for name, images in found.items()}
        warnings = _odd(found, counts, train.classes)
        summary = f"{path}: {_WORDS[form]}, {len(train.classes)} classes, images: {counted(counts)}"
        return DataCheck(f"{summary} ({opened} opened)", tuple(warnings))


def _odd(found: dict[str, ImageSplit], counts: dict[str, int], classes: list[str]) -> list[str]:
    warnings = []
    for name, images in found.items():
        shown = images.labels.any(0).nonzero()[0] if images.labels.ndim == 2 else images.labels
        if absent := sorted(set(range(len(classes))) - set(shown.tolist())):
            words = f"{len(absent)} of {len(classes)} classes"
            warnings.append(f"{name} shows nothing of {words}, for instance {classes[absent[0]]}")
    if is_imagenet1k(classes):
        warnings += [
            f"{split} has {counts[split]} images, ImageNet-1k has {number}"
            for split, number in IMAGENET_1K.items()
            if counts.get(split, number) != number
        ]
    return warnings


def _open(images: ImageSplit, most: int) -> int:
    """Decode evenly chosen pictures, and say how many."""

    def fault(index: int) -> str | None:
        try:
            images.image(index)
        except UserError as error:
            return str(error)
        return None

    chosen = evenly(len(images), most)
    refuse_faults(fault, chosen)
    return len(chosen)


def _no_images(folder: Path) -> str | None:
    classes = [entry for entry in entries(folder) if entry.is_dir()]
    if not classes:
        return f"no {folder.name}/<class name>/<image>"
    if not any(entry.suffix.lower() in IMAGE_TYPES for entry in entries(classes[0])):
        return f"no images in {folder.name}/{classes[0].name}"
    return None


_WORDS = {
    image_folder: "image folder",
    manifest: "csv manifest",
    arrow: "Hugging Face data set",
    coco_labels: "COCO format",
}
