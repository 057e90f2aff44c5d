"""The typed backbone.json."""

import inspect
import subprocess
import sys

import pytest

from backbones.card import Card, FlopsPerImage, NamedArchitecture, TrainingCost
from backbones.layout import Layout
from backbones.preprocessing import Preprocessing

OLD = {
    "format": 1,
    "preprocessing": {
        "size": 96,
        "mean": [0.0, 0.0, 0.0],
        "std": [1.0, 1.0, 1.0],
        "interpolation": "bilinear",
        "crop_pct": 1.0,
        "resize_mode": "shortest",
    },
    "objective": "catlip",
    "head": {"classes": 5},
    "fingerprint": "440f",
    "validation": {"val_loss": 2.5},
    "cost": {"samples": 96, "seconds": 0.5, "labelling_seconds": None, "flops_per_image": {"total": 3.0}},
    "environment": {"python": "3.11.7"},
    "price": "nothing",
}


def test_what_was_said_is_what_comes_back():
    assert Card.model_validate(OLD).to_dict() == OLD


def test_a_card_is_typed():
    card = Card.model_validate({**OLD, "architecture": {"embed_dim": 32, "depth": 2, "num_heads": 2}})
    assert card.architecture == Layout(32, 2, 2)
    assert card.preprocessing == Preprocessing(96)
    assert card.cost == TrainingCost(**OLD["cost"]) and card.cost.flops_per_image.total == 3.0
    assert card.cost.cpu_seconds is None and card.vocabulary_digest is None
    named = Card.model_validate({"architecture": {"name": "vit_base", "family": "timm"}})
    assert named.architecture == NamedArchitecture(name="vit_base", family="timm")


@pytest.mark.parametrize(
    ("field", "value"),
    [("cost", "nothing"), ("architecture", {"embed_dim": "wide"}), ("preprocessing", {"size": "large"})],
)
def test_a_records_description_is_read_whatever_it_says(field, value):
    assert Card.from_record({}).objective is None
    card = Card.from_record({**OLD, field: value})
    assert getattr(card, field) is None and card.objective == "catlip"


@pytest.mark.parametrize("model", [Card, TrainingCost, FlopsPerImage, NamedArchitecture])
def test_every_field_is_explained(model):
    explained = inspect.getdoc(model)
    assert [name for name in model.model_fields if f"\n    {name}: " not in explained] == []


def test_a_card_needs_no_torch():
    code = "import sys, backbones.card, backbones.catalog; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
