"""Random numbers that do not depend on who draws what when.

Every sample has a generator of its own, named by the spec's seed, the part's name and the sample's index, so
any number of processes draws the same bytes.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def stream(seed: int, part: str, index: int = 0) -> np.random.Generator:
    """The generator of sample ``index`` of ``part`` (such as ``"pairs/train"``)."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(zlib.crc32(part.encode()), index)))


def deck(rng: np.random.Generator, items: Sequence[T], length: int) -> list[T]:
    """``length`` items in random order, each as often as any other (give or take one).

    The items come in shuffled rounds, like cards from a deck that is shuffled again when it is empty.
    """
    cards: list[T] = []
    while len(cards) < length:
        cards += [items[index] for index in rng.permutation(len(items))]
    return cards[:length]
