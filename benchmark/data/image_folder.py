"""Classification data on disk: ``<split>/<class name>/<image>``, as torchvision's ImageFolder reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from backbones.vit import Preprocessing

IMAGE_TYPES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})


@dataclass(frozen=True)
class ImageFolder:
    """One split.

    Attributes:
        root: the data set's folder, which `paths` are relative to.
        paths: one per image, sorted by class and name.
        labels: [N] int64, index into `classes`.
        classes: class names, sorted; those of the training split.
    """

    root: Path
    paths: list[str]
    labels: np.ndarray
    classes: list[str]

    def __len__(self) -> int:
        return len(self.paths)

    def subset(self, indices: np.ndarray) -> ImageFolder:
        """The images with these indices."""
        return ImageFolder(self.root, [self.paths[i] for i in indices], self.labels[indices], self.classes)


def read_split(root: Path, split: str, classes: list[str] | None = None) -> ImageFolder:
    """List the images of a split.

    Args:
        root: the data set's folder.
        split: folder in it, for instance ``train``.
        classes: the training split's classes; None when this is the training split.

    Raises:
        UserError: the split is missing or has no class folders, a class is empty or unknown to training.
    """
    folder = Path(root) / split
    if not folder.is_dir():
        raise UserError(f"{folder} does not exist: expected {split}/<class name>/<image> in {root}")
    names = sorted(
        entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")
    )
    if not names:
        raise UserError(f"{folder} has no class folders: sort its images into {split}/<class name>/")
    known = names if classes is None else classes
    if unknown := sorted(set(names) - set(known)):
        raise UserError(
            f"{folder / unknown[0]}: class {unknown[0]!r} has no training images: "
            f"add them to the training split or remove this folder"
        )
    index = {name: label for label, name in enumerate(known)}
    paths, labels = [], []
    for name in names:
        images = sorted(
            path.relative_to(root).as_posix()
            for path in (folder / name).rglob("*")
            if path.suffix.lower() in IMAGE_TYPES and path.is_file() and not path.name.startswith(".")
        )
        if not images:
            raise UserError(f"{folder / name} holds no images: add some or remove the folder")
        paths += images
        labels += [index[name]] * len(images)
    if classes is None and len(names) < 2:
        raise UserError(f"{folder} has one class only ({names[0]}): a classifier needs at least two")
    return ImageFolder(Path(root), paths, np.asarray(labels, dtype=np.int64), list(known))


def hold_out(images: ImageFolder, fraction: float, seed: int) -> tuple[ImageFolder, ImageFolder]:
    """Split off a share of every class, drawn by `seed`: (the rest, the share).

    Raises:
        UserError: a class is too small to give and keep at least one image.
    """
    generator = np.random.default_rng(seed)
    held = []
    for label, name in enumerate(images.classes):
        members = np.flatnonzero(images.labels == label)
        if len(members) < 2:
            raise UserError(
                f"class {name!r} has one training image only: holding out needs at least two a class"
            )
        count = min(max(1, round(fraction * len(members))), len(members) - 1)
        held.append(generator.choice(members, count, replace=False))
    chosen = np.zeros(len(images), dtype=bool)
    chosen[np.concatenate(held)] = True
    return images.subset(np.flatnonzero(~chosen)), images.subset(np.flatnonzero(chosen))


def batches(
    images: ImageFolder, preprocessing: Preprocessing, batch_size: int, workers: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Read images in order: (pixels [B, 3, size, size] prepared for the backbone, indices [B]).

    The short side (both, where `resize_mode` is squash) is resized to size / crop_pct, the centre is cut out;
    no augmentation.

    Raises:
        UserError: an image cannot be read; the message names it.
    """
    import torch
    from torch.utils.data import DataLoader

    loader = DataLoader(
        _Images(images, _transform(preprocessing)),
        batch_size=batch_size,
        num_workers=min(workers, len(images) // batch_size),
        collate_fn=_collate,
        pin_memory=torch.cuda.is_available(),
    )
    for pixels, indices, error in loader:
        if error:
            raise UserError(error)
        yield pixels, indices


def _transform(preprocessing: Preprocessing):
    from torchvision.transforms import v2

    size, mode = preprocessing.size, v2.InterpolationMode(preprocessing.interpolation)
    edge = round(size / preprocessing.crop_pct)
    import torch

    return v2.Compose(
        [
            v2.PILToTensor(),
            v2.Resize(
                (edge, edge) if preprocessing.resize_mode == "squash" else edge,
                interpolation=mode,
                antialias=True,
            ),
            v2.CenterCrop(size),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(list(preprocessing.mean), list(preprocessing.std)),
        ]
    )


class _Images:
    """Map-style data set. A broken image is returned as a message: exceptions lose their class in workers."""

    def __init__(self, images: ImageFolder, transform) -> None:
        self.images = images
        self.transform = transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int):
        from PIL import Image

        path = self.images.root / self.images.paths[index]
        try:
            with Image.open(path) as image:
                return self.transform(image.convert("RGB")), index, None
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            return None, index, f"{path} is no readable image ({reason}): replace or remove it"


def _collate(items: list):
    import torch

    if errors := [error for _, _, error in items if error]:
        return None, None, errors[0]
    return torch.stack([pixels for pixels, _, _ in items]), torch.tensor([i for _, i, _ in items]), None
