"""Tests on one thread, and what they watch."""

import pytest
import torch

from backbones import load_backbone
from backbones.card import Card
from backbones.checkpoints import run
from backbones.vit import SynsetClassifier
from pretraining.labels.synsets import Lexicon
from pretraining.labels.vocabulary import Vocabulary

SYNSETS = ("red", "cat", "sky")


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


@pytest.fixture
def catlip(tmp_path):
    """``run:`` a tiny backbone with a classifier over red, cat and sky."""
    vocabulary = Vocabulary.of_counts({Lexicon.load().offset(f"{name}.n.01"): 9 for name in SYNSETS})
    vit = load_backbone("random:vit_nano_conv16")
    generator = torch.Generator().manual_seed(7)
    weight, bias = (torch.randn(*shape, generator=generator) for shape in ((3, vit.embed_dim), (3,)))
    vit.synset_classifier = SynsetClassifier(weight, bias, vocabulary.synsets)
    folder = tmp_path / "catlip"
    folder.mkdir()
    vocabulary.save(folder / "vocabulary.csv")
    run.save(folder, vit, Card())
    return f"run:{folder}"
