"""Batches on their way to a GPU: what is done in which order, told by a GPU that only takes notes.

`tests/gpu` asks a real one.
"""

from contextlib import contextmanager
from itertools import islice
from types import SimpleNamespace

import pytest
import torch

from pretraining.data import prefetch
from pretraining.data.prefetch import batches_on
from pretraining.objectives.base import ImageTextBatch


def pieces(batches, count):
    for number in range(batches * count):
        yield ImageTextBatch(
            torch.full((2, 3, 4, 4), number, dtype=torch.uint8),
            [f"{number}a", f"{number}b"],
            label_rows=torch.tensor([0, 1, 1]),
            label_classes=torch.tensor([number, 0, 1]),
            extras={"more": torch.zeros(2)},
            skipped={"x": 1},
        )


@pytest.fixture
def notes(monkeypatch):
    """What a GPU would have been asked to do."""
    told, on = [], ["training"]

    @contextmanager
    def stream(name):
        on.append(str(name))
        yield
        on.pop()

    class Stream:
        def __init__(self, name):
            self.name = name

        def __str__(self):
            return self.name

        def wait_stream(self, other):
            told.append(f"{self} waits for {other}")

    cuda = SimpleNamespace(
        Stream=lambda device: Stream("copying"), stream=stream, current_stream=lambda device: Stream(on[-1])
    )
    monkeypatch.setattr(prefetch, "torch", SimpleNamespace(cuda=cuda))

    def to(self, device):
        told.append(f"{on[-1]} copies {self.captions[0]}")
        return self

    monkeypatch.setattr(ImageTextBatch, "to", to)
    monkeypatch.setattr(
        torch.Tensor, "record_stream", lambda self, stream: told.append(f"used by {stream}"), raising=False
    )
    return told


@pytest.mark.parametrize("count", [1, 3])
def test_elsewhere_pieces_are_joined_and_stay_where_they_are(count):
    made = list(batches_on(pieces(4, count), count, torch.device("cpu")))
    assert [len(batch.captions) for batch in made] == [2 * count] * 4
    assert made[1].images[0, 0, 0, 0] == count and made[3].skipped == {"x": count}


def test_a_gpu_gets_the_same_batches_each_waited_for_before_the_next_is_copied(notes):
    plain = list(batches_on(pieces(3, 2), 2, torch.device("cpu")))
    iterator = batches_on(pieces(3, 2), 2, SimpleNamespace(type="cuda"))
    first = next(iterator)
    assert [note for note in notes if "used" not in note] == [
        "copying copies 0a",
        "copying copies 1a",
        "training waits for copying",
        "copying copies 2a",
        "copying copies 3a",
    ]
    # all four tensors, before the next copy could take their memory
    assert notes[3:7] == ["used by training"] * 4
    made = [first, *iterator]
    assert len(made) == 3
    for batch, other in zip(made, plain, strict=True):
        assert batch.captions == other.captions and batch.skipped == other.skipped
        for name in ("images", "label_rows", "label_classes"):
            assert torch.equal(getattr(batch, name), getattr(other, name))


def test_no_more_than_one_batch_is_fetched_ahead(notes):
    taken = []

    def counted():
        for number, piece in enumerate(pieces(10, 1)):
            taken.append(number)
            yield piece

    list(islice(batches_on(counted(), 1, SimpleNamespace(type="cuda")), 4))
    assert taken == [0, 1, 2, 3, 4]
