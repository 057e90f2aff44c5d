"""Labelled images, whatever layout they lie in: one split of them, parts of it, and how one is read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from common import colours
from common.digest import digest
from common.errors import UserError
from common.pictures import BadPicture, opened

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGE_TYPES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})


class Pictures(Protocol):
    """Where the pictures of a split are."""

    def open(self, path: str) -> Image:
        """The picture of that name as RGB.

        Raises:
            UserError: it cannot be read; the message names it.
        """

    def state(self, paths: Sequence[str]) -> list[Any]:
        """What changes as soon as one of them was touched."""


@dataclass(frozen=True)
class Files:
    """Pictures that are files below a folder."""

    root: Path

    def open(self, path: str) -> Image:
        return read_image(self.root / path)

    def state(self, paths: Sequence[str]) -> list[Any]:
        return file_states(self.root, paths)


@dataclass(frozen=True)
class ImageSplit:
    """The images of one split.

    Attributes:
        root: the data set's folder or file.
        paths: one name per image; of a file: relative to the folder.
        labels: [N] int64, index into `classes`; or, where an image may show several, [N, K] bool.
        classes: class names; those of the training split.
        pictures: where they are; None: files below `root`.
    """

    root: Path
    paths: list[str]
    labels: np.ndarray
    classes: list[str]
    pictures: Pictures | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def image(self, index: int) -> Image:
        """A picture as RGB.

        Raises:
            UserError: it cannot be read; the message names it.
        """
        return (self.pictures or Files(self.root)).open(self.paths[index])

    def state(self) -> str:
        """Digest of names, sizes and times of change of the pictures: another as soon as one was touched."""
        return digest((self.pictures or Files(self.root)).state(self.paths))

    def subset(self, indices: np.ndarray) -> ImageSplit:
        """The images with these indices."""
        return replace(self, paths=[self.paths[i] for i in indices], labels=self.labels[indices])


def file_states(root: Path, names: Iterable[str]) -> list[list[Any]]:
    """Name, size and time of change of files below a folder: others as soon as one was touched."""
    stats = ((name, (root / name).stat()) for name in names)
    return [[name, status.st_size, status.st_mtime_ns] for name, status in stats]


def read_image(path: Path) -> Image:
    """A picture as RGB, as a viewer shows it; see `decode`.

    Raises:
        UserError: it cannot be read; the message names it.
    """
    return decode(path, str(path))


def decode(source: Path | bytes, name: str) -> Image:
    """A picture as RGB, as a viewer shows it.

    It is turned as its EXIF data say, what is transparent lies on white, 16 bits and fractions are scaled to
    8 bits (`common.colours.rgb`), of an animation the first picture is taken.

    Args:
        source: a file, or what one holds.
        name: for the message.

    Raises:
        UserError: it cannot be read, or claims to be larger than any photograph.
    """
    try:
        with opened(source) as image:
            image.load()
            return colours.rgb(_upright(image))
    except BadPicture as error:
        raise _unreadable(name, error) from None


def image_size(path: Path) -> tuple[int, int]:
    """Width and height of a picture that is turned as its EXIF data say; only its header is read.

    Raises:
        UserError: it is none, or claims to be larger than any photograph.
    """
    try:
        with opened(path) as image:
            return image.size[::-1] if _orientation(image) > 4 else image.size
    except BadPicture as error:
        raise _unreadable(str(path), error) from None


def is_plain(path: Path | str) -> bool:
    """Whether a picture has 8 bits a colour and nothing transparent, so that any decoder shows the same.

    Raises:
        UserError: as `image_size`.
    """
    try:
        with opened(path) as image:
            return colours.is_plain(image)
    except BadPicture as error:
        raise _unreadable(str(path), error) from None


def size_fault(path: Path, size: tuple[int, int] | None = None) -> str | None:
    """What is wrong with a picture as far as its header tells; None where nothing is.

    Args:
        size: width and height that it should have.
    """
    try:
        found = image_size(path)
    except UserError as error:
        return str(error)
    if size is not None and found != size:
        return f"{path} is {found[0]}x{found[1]}, its annotations say {size[0]}x{size[1]}"
    return None


def picture_fault(path: Path, size: tuple[int, int] | None = None) -> str | None:
    """As `size_fault`, of a picture that is decoded."""
    try:
        read_image(path)
    except UserError as error:
        return str(error)
    return size_fault(path, size)


def _unreadable(name: str, error: BadPicture) -> UserError:
    return UserError(f"{name} is no readable image ({error}): replace or remove it")


def _orientation(image: Image) -> int:
    """1 to 8; from 5 on it lies on its side."""
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:  # as `_upright`
        return 1


def _upright(image: Image) -> Image:
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # of EXIF data that are broken nothing can be said; the picture is none the worse
        return image.copy()
