"""The rule itself, on captions whose labels one can tell; the fast ways are tested against it."""

from __future__ import annotations

import pytest

from pretraining.labels.rule import reference_label
from pretraining.labels.synsets import Lexicon


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("Two dogs playing in the snow", ["two.n.01", "dog.n.01", "playing.n.01", "snow.n.01"]),
        ("Dogs. A dog's DOG", ["dog.n.01"]),  # each once
        ("a set of black shoes", ["set.n.01", "black.n.01", "shoe.n.01"]),  # whatever its part of speech
        ("an automobile", []),  # its first sense is headed by "car"
        ("new_york+city%20dog <b>cat</b>", ["new_york.n.01", "city.n.01", "dog.n.01", "cat.n.01"]),
        ("the wolves and the mice", ["wolf.n.01", "mouse.n.01"]),
        ("", []),
    ],
)
def test_labels_by_the_rule(caption: str, expected: list[str]) -> None:
    assert [Lexicon.load().name(synset) for synset in reference_label(caption)] == expected
