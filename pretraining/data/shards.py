"""Image–text pairs in WebDataset shards: finding and reading them. Light: no torch until a shard is read."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

IMAGE_TYPES = ("jpg", "jpeg", "png", "webp")
RawSample = dict[str, Any]
"""File endings to bytes; ``__key__`` is the sample's name and ``__url__`` its shard's path."""


def pair_splits(folder: Path) -> tuple[list[Path], list[Path]]:
    """The tar shards of a folder of pairs, each split sorted by name.

    Args:
        folder: with ``train/*.tar``, possibly ``val/*.tar``; or with ``*.tar``, which are all for training.

    Returns:
        Shards for training, and for validation.

    Raises:
        UserError: the folder is missing, or one of these folders holds no shard.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder} does not exist: give the folder of tar shards as --data pairs=PATH")
    if not (folder / "train").is_dir():
        return _shards(folder), []
    return _shards(folder / "train"), _shards(folder / "val") if (folder / "val").is_dir() else []


def _shards(folder: Path) -> list[Path]:
    shards = sorted(folder.glob("*.tar"))
    if not shards:
        raise UserError(f"{folder} holds no .tar shard: write pairs as WebDataset shards (img2dataset does)")
    return shards


def raw_samples(shards: list[Path], on_error: Callable[[Exception], bool]) -> Iterator[RawSample]:
    """Undecoded samples of local shards, in order; each is a dict of file endings to bytes.

    Only the files a pair is made of are kept. Paths are made absolute, because WebDataset would take a
    relative name such as ``pipe:...`` as a command.
    """
    import webdataset

    wanted = {*IMAGE_TYPES, "txt", "json"}
    urls = ({"url": str(shard.resolve())} for shard in shards)
    return webdataset.tariterators.tarfile_samples(
        urls, handler=on_error, select_files=lambda name: name.rpartition(".")[2].lower() in wanted
    )


def caption_of(sample: RawSample) -> str:
    """The caption: the ``.txt`` member, or else ``caption`` of the ``.json`` member.

    Raises:
        ValueError: there is none, it is no text, or it is not UTF-8.
    """
    if "txt" in sample:
        return sample["txt"].decode("utf-8")
    caption = json.loads(sample["json"]).get("caption") if "json" in sample else None
    if not isinstance(caption, str):
        raise ValueError("no caption")
    return caption


def image_bytes(sample: RawSample) -> bytes:
    """The picture, undecoded.

    Raises:
        ValueError: the sample has no picture of a known type.
    """
    data = next((sample[ending] for ending in IMAGE_TYPES if ending in sample), None)
    if data is None:
        raise ValueError("no picture")
    return data


def decode_image(sample: RawSample) -> Picture:
    """The picture as RGB, by Pillow.

    Raises:
        ValueError: the sample has no picture of a known type.
        OSError: the picture cannot be decoded.
    """
    from PIL import Image

    with Image.open(io.BytesIO(image_bytes(sample))) as picture:
        return picture.convert("RGB")
