"""The contract of a source of backbones. Light: no torch."""

from __future__ import annotations

import abc
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from backbones.released import RELEASED, Entry
from common.digest import digest
from common.errors import UserError

if TYPE_CHECKING:
    from backbones.card import Card
    from backbones.text import TextTower
    from backbones.vit import ViT


class Reader(abc.ABC):
    """Reads the backbones of one source. A name is ``source:rest``; methods are given the rest.

    One object serves for any number of names. The module of a reader should import torch inside `load` only,
    so that listing stays quick.

    Attributes:
        source: the word before the colon.
    """

    source: ClassVar[str]

    @abc.abstractmethod
    def load(self, rest: str, seed: int = 0, weights: bool = True) -> ViT:
        """The backbone, in evaluation mode and float32 on the CPU.

        Args:
            rest: the name without its source.
            seed: of weights that are drawn; a source that has weights does not use it.
            weights: False: only what is known without reading them is asked, as width and depth. The ViT may
                be on torch's meta device then, and should not have cost the time of reading a large file.

        Raises:
            UserError: there is no such backbone, or its weights do not fit; the message says the remedy.
        """

    def digest(self, rest: str) -> str:
        """What identifies the weights. The default takes the name for it.

        Raises:
            UserError: what is cheap to know wrong, as a file that is not there.
        """
        return digest([self.source, rest])

    def describe(self, rest: str) -> Card:
        """What is known without reading the weights. The default knows the name alone.

        Raises:
            UserError: there is no such backbone.
        """
        from backbones.card import Card, NamedArchitecture

        return Card(architecture=NamedArchitecture(name=rest), objective=None, cost=None)

    def text(self, rest: str) -> TextTower:
        """The text tower that was trained with the image tower of that name.

        Raises:
            UserError: there is none, or it cannot be read. The default: there is none.
        """
        raise UserError(f"{self.source}:{rest} has no text tower that is known here")

    def ready(self, rest: str) -> None:  # noqa: B027  most sources have nothing to fetch
        """Refuse weights that are not on this machine and may not be fetched.

        Raises:
            UserError: the message says how they are to be had.
        """

    def entries(self) -> Iterable[Entry]:
        """What ``list backbones`` shows of this source. The default: its released weights."""
        prefix = f"{self.source}:"
        known = [entry for entry in RELEASED if entry.name.startswith(prefix)]
        return known or [Entry(f"{prefix}NAME", f"see {type(self).__module__}")]
