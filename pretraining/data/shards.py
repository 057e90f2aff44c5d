"""Image–text pairs in WebDataset shards: finding and reading them. Light: no torch until a shard is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.archives import member_bytes, members, open_tar
from common.colours import rgb
from common.errors import UserError
from common.pictures import opened
from pretraining.labels.sources import caption_of_files

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

IMAGE_TYPES = ("jpg", "jpeg", "png", "webp")
_LARGEST = 256 << 20  # bytes of a file in a shard
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

    Only the files a pair is made of are kept, and None of one that is too large to be read.

    Args:
        shards: tar files.
        on_error: told what broke, with the shard's path as the last of its arguments; says whether to go on
            behind it.
    """
    from webdataset.tariterators import group_by_keys

    files = (file for shard in shards for file in _files(str(Path(shard).resolve()), on_error))
    return group_by_keys(files, handler=on_error)


def _files(shard: str, on_error: Callable[[Exception], bool]) -> Iterator[dict[str, Any]]:
    """The files of one shard as WebDataset groups them; an empty dict ends it."""
    wanted = {*IMAGE_TYPES, "txt", "json"}
    try:
        with open_tar(Path(shard), _LARGEST) as tar:
            for member in members(tar):
                hidden = member.name.startswith("__")  # WebDataset's notes on the shard
                if member.isreg() and not hidden and member.name.rpartition(".")[2].lower() in wanted:
                    data = member_bytes(tar, member, _LARGEST)
                    yield {"fname": member.name, "data": data, "__url__": shard}
    except Exception as error:  # whatever a damaged file makes of tarfile
        error.args = (*error.args, shard)
        if not on_error(error):
            raise
    yield {}


def caption_of(sample: RawSample) -> str:
    """The caption: the ``.txt`` member, or else ``caption`` of the ``.json`` member.

    Raises:
        ValueError: there is none, or labelling could not use it either.
    """
    caption, problem = caption_of_files(sample)
    if problem:
        raise ValueError(problem)
    return caption


def image_bytes(sample: RawSample) -> bytes:
    """The picture, undecoded.

    Raises:
        ValueError: the sample has no picture of a known type, or it is larger than any photograph.
    """
    found = [sample[ending] for ending in IMAGE_TYPES if ending in sample]
    if not found:
        raise ValueError("no picture")
    if found[0] is None:
        raise ValueError(f"its picture takes more than {_LARGEST >> 20} MiB")
    return found[0]


def decode_image(sample: RawSample) -> Picture:
    """The picture as RGB, by Pillow, as a viewer shows it (`common.colours.rgb`).

    Raises:
        ValueError: the sample has no picture of a known type, one that cannot be decoded, or one whose white
            nobody can know.
    """
    with opened(image_bytes(sample)) as picture:
        picture.load()  # the file is closed behind it
        return rgb(picture)
