"""What is asked of a layout of data on disk. Light: no torch, no pandas."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import ClassVar, NamedTuple

from common.errors import UserError

_LOOKED_AT = 50  # entries of a folder, at most: a glance is no count


class DataCheck(NamedTuple):
    """What was found in data that can be used: one line, and what is odd about them without being wrong."""

    summary: str
    warnings: tuple[str, ...] = ()


class DataLayout(abc.ABC):
    """How a kind of data set lies on disk. Layouts of our own are listed in `benchmark.data.LAYOUTS`.

    How a layout is read, and how its classes are called, are functions of its module: each is read otherwise.

    Attributes:
        name: what task types and ``prepare NAME --check`` call it.
        also: names of data sets that are laid out like this.
        holds: what its folder holds, for messages.
    """

    name: ClassVar[str]
    also: ClassVar[tuple[str, ...]] = ()
    holds: ClassVar[str]

    @abc.abstractmethod
    def glance(self, path: Path) -> str | None:
        """What is wrong with a folder, as far as some of its entries tell; None where nothing seems to be.

        Quick on data of any size: no file is read through.
        """

    @abc.abstractmethod
    def check(self, path: Path) -> DataCheck:
        """Look at a data set thoroughly, before anything long begins.

        Raises:
            UserError: the first thing that is wrong, and what to do about it.
        """

    def is_of(self, name: str) -> bool:
        """Whether data of this name are laid out like this: ``coco`` are, and so are ``my_coco``."""
        return any(name == own or name.endswith(f"_{own}") for own in (self.name, *self.also))

    def one_folder_down(self, path: Path) -> Path | None:
        """The folder below `path` that was probably meant."""
        return next((inner for inner in entries(path) if inner.is_dir() and not self.glance(inner)), None)

    def folder(self, path: Path) -> Path:
        """The folder to check.

        Raises:
            UserError: there is none, or the data are one folder down.
        """
        path = Path(path)
        if not path.is_dir():
            raise UserError(f"{path} does not exist: give the folder that holds {self.holds}")
        if (problem := self.glance(path)) and (inner := self.one_folder_down(path)):
            raise UserError(f"{path} has {problem}: did you mean {inner}?")
        return path


def counted(found: dict[str, int]) -> str:
    """Numbers of images by split, for a report: ``train 3, val 2``."""
    return ", ".join(f"{split} {number}" for split, number in found.items())


def entries(folder: Path) -> list[Path]:
    """Some visible entries of a folder, sorted; none where it is missing."""

    def visible() -> Iterator[Path]:
        with suppress(FileNotFoundError, NotADirectoryError):
            yield from (entry for entry in folder.iterdir() if not entry.name.startswith("."))

    return sorted(islice(visible(), _LOOKED_AT))
