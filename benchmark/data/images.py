"""Labelled images, whatever layout they lie in: one split of them, parts of it, and how one is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.digest import digest
from common.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGE_TYPES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})


@dataclass(frozen=True)
class ImageSplit:
    """The images of one split.

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

    def image(self, index: int) -> Image:
        """A picture as RGB.

        Raises:
            UserError: it cannot be read; the message names it.
        """
        return read_image(self.root / self.paths[index])

    def state(self) -> str:
        """Digest of names, sizes and times of change of the pictures: another as soon as one was touched."""
        found = []
        for path in self.paths:
            status = (self.root / path).stat()
            found.append([path, status.st_size, status.st_mtime_ns])
        return digest(found)

    def subset(self, indices: np.ndarray) -> ImageSplit:
        """The images with these indices."""
        return ImageSplit(self.root, [self.paths[i] for i in indices], self.labels[indices], self.classes)


def read_image(path: Path) -> Image:
    """A picture as RGB.

    Raises:
        UserError: it cannot be read; the message names it.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path} is no readable image ({reason}): replace or remove it") from None
