"""What is asked of a layout of data on disk. Light: no torch, no pandas."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from common.errors import UserError

_LOOKED_AT = 50  # entries of a folder, at most: a glance is no count
_AT_A_TIME = 10_000
"""Files that wait to be looked at: a million would fill memory."""

OPENED = 2_000
"""Pictures of a split that a check decodes, at most, unless it is thorough: all of ImageNet takes hours."""


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
    def check(self, path: Path, thorough: bool = False) -> DataCheck:
        """Look at a data set, before anything long begins.

        Args:
            path: its folder.
            thorough: decode all pictures, however long that takes; else the headers of all and some whole.

        Raises:
            UserError: the first thing that is wrong, in how many files, and what to do about it.
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


def evenly(number: int, most: int) -> list[int]:
    """Up to `most` of so many indices, the first and the last among them."""
    count = min(number, most)
    return sorted({round(place * (number - 1) / max(count - 1, 1)) for place in range(count)})


def refuse_faults(look: Callable[..., str | None], *given: Sequence[Any]) -> None:
    """Refuse files that something is wrong with; many are looked at at a time.

    Args:
        look: what is wrong with a file, in one line that names it; None where nothing is.
        given: its arguments, a sequence for each, a file an entry.

    Raises:
        UserError: what is wrong with the first, and with how many more.
    """
    found: list[str] = []
    number = len(given[0])
    with ThreadPoolExecutor() as pool:
        for start in range(0, number, _AT_A_TIME):
            some = (values[start : start + _AT_A_TIME] for values in given)
            found += [fault for fault in pool.map(look, *some) if fault]
    if len(found) > 1:
        raise UserError(f"{found[0]} (and {len(found) - 1} more of {number} files)")
    if found:
        raise UserError(found[0])


def entries(folder: Path) -> list[Path]:
    """Some visible entries of a folder, sorted; none where it is missing."""

    def visible() -> Iterator[Path]:
        with suppress(FileNotFoundError, NotADirectoryError):
            yield from (entry for entry in folder.iterdir() if not entry.name.startswith("."))

    return sorted(islice(visible(), _LOOKED_AT))
