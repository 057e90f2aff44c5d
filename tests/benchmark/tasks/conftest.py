"""Tests on one thread, and what they watch."""

import pytest


@pytest.fixture(autouse=True)
def small_models(one_thread):
    """All models here are small."""


@pytest.fixture
def readings(monkeypatch):
    """One entry per time that a ``random:`` backbone is asked for: whether with its weights."""
    from backbones.checkpoints.random import RandomReader

    asked, load = [], RandomReader.load

    def counted(self, rest, seed=0, weights=True):
        asked.append(weights)
        return load(self, rest, seed, weights)

    monkeypatch.setattr(RandomReader, "load", counted)
    return asked
