"""What a source gets for nothing from the contract."""

import pytest

from backbones.checkpoints.base import Reader
from backbones.released import RELEASED, Entry
from common.digest import digest


class Smallest(Reader):
    source = "smallest"

    def load(self, rest, seed=0, weights=True):
        raise NotImplementedError


def test_a_source_needs_no_more_than_to_load():
    reader = Smallest()
    assert reader.digest("a") == digest(["smallest", "a"]) != reader.digest("b")
    assert reader.describe("a").to_dict() == {
        "architecture": {"name": "a"},
        "objective": None,
        "cost": None,
    }
    assert reader.ready("a") is None
    (entry,) = reader.entries()
    assert isinstance(entry, Entry) and entry.name == "smallest:NAME"


def test_a_source_lists_its_released_weights():
    class OpenAI(Smallest):
        source = "openai"

    assert OpenAI().entries() == [entry for entry in RELEASED if entry.name.startswith("openai:")]


def test_without_load_it_is_no_source():
    class Nothing(Reader):
        source = "nothing"

    with pytest.raises(TypeError, match="abstract"):
        Nothing()
