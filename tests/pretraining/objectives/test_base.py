"""What all objectives have in common, and one of another package."""

import json
import textwrap

import pytest
import torch

from common.errors import UserError
from pretraining.objectives import OBJECTIVES, load_objective, objective_type
from pretraining.objectives.base import ImageTextBatch, Objective
from pretraining.recipe import fingerprint, load_recipe

FOREIGN = """
from pathlib import Path

import torch
from torch import nn

from pretraining.data.readings import Reading
from pretraining.objectives.base import Objective


class Lengths(Reading):
    '''How long the captions are, in units that a file names.'''

    files = ("unit.txt",)
    blank = 0

    def __init__(self, pairs, options):
        super().__init__(pairs, options)
        self.unit = int((Path(pairs) / "unit.txt").read_text())
        self.found = {"unit": self.unit}

    def read(self, sample, caption):
        return len(caption)

    def collate(self, items):
        return {"extras": {"lengths": torch.tensor(items) / self.unit}}


class Length(Objective):
    name = "caption length"
    reads = Lengths

    def __init__(self, width, unit, bias=True):
        super().__init__()
        self.unit = unit
        self.head = nn.Linear(width, 1, bias=bias)

    def forward(self, tokens, batch):
        error = self.head(tokens.class_token)[:, 0] - batch.extras["lengths"]
        return {"loss": error.square().mean()}

    def cost_inputs(self):
        return {"unit": self.unit}
"""
CONFIG = """
architecture = "vit_nano_conv16"
objective = dict(type="foreign_objectives:Length", bias=False)
optimizer = dict(lr=1e-3, warmup_samples=16)
image_size = 32
samples = 32
batch_size = 8
val_batch_size = 8
num_workers = 1
precision = "float32"
"""


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    """A recipe with an objective of another package."""
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "foreign_objectives.py").write_text(textwrap.dedent(FOREIGN))
    monkeypatch.syspath_prepend(str(modules))
    monkeypatch.delitem(__import__("sys").modules, "foreign_objectives", raising=False)
    config = tmp_path / "foreign.py"
    config.write_text(CONFIG)
    return config


def test_an_objective_of_another_package_is_trained(pairs, foreign, tmp_path):
    from pretraining.train import pretrain

    (pairs / "unit.txt").write_text("10")
    out = pretrain(foreign, tmp_path / "out", {"pairs": pairs})
    description = json.loads((out / "backbone.json").read_text())
    assert description["objective"] == "caption length" and description["head"] == {"unit": 10}
    assert description["vocabulary_digest"] is None and description["cost"]["labelling_seconds"] is None
    assert description["validation"]["val_loss"] > 0
    before = fingerprint(load_recipe(foreign), pairs)
    assert before == description["fingerprint"]
    (pairs / "unit.txt").write_text("20")
    assert fingerprint(load_recipe(foreign), pairs) != before


@pytest.mark.parametrize("name", OBJECTIVES)
def test_what_is_known_of_an_objective_without_importing_it_is_true(name):
    objective = load_objective(name)
    assert issubclass(objective, Objective) and objective.name == name
    assert objective.reads.files == objective_type(name).files


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("clipp", r"unknown objective 'clipp': did you mean .*clip.* module:Class"),
        (None, "unknown objective None"),
        ("nowhere:Thing", r"objective 'nowhere:Thing' cannot be imported .*PYTHONPATH"),
    ],
)
def test_unknown_objectives_are_named(name, message):
    with pytest.raises(UserError, match=message):
        objective_type(name)


def test_a_batch_moves_with_all_its_tensors():
    batch = ImageTextBatch(
        torch.zeros(2, 3, 4, 4), ["a", "b"], text=torch.zeros(2, 8), extras={"lengths": torch.ones(2)}
    )
    moved = batch.to("meta")
    assert {moved.images.device.type, moved.text.device.type, moved.extras["lengths"].device.type} == {"meta"}
    assert moved.captions == batch.captions and moved.label_rows is None
    assert batch.extras["lengths"].device.type == "cpu"
