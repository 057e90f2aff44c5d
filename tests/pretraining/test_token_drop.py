"""Leaving out tokens: which, when, and what it saves."""

import pytest
import torch

from backbones.architectures import ARCHITECTURES
from backbones.vit import build_vit
from pretraining import token_drop
from pretraining.cost import flops_of_run
from pretraining.data.readings import SynsetLabels
from pretraining.model import ImageTextModel
from pretraining.objectives.catlip import CatLIP
from pretraining.recipe import Recipe
from pretraining.token_drop import TokenDropping, all_tokens, drop_tokens

NUMBERED = torch.arange(1.0, 41).reshape(1, 10, 4).repeat(6, 1, 1)
"""Six images of a class token and nine patches, all told apart by their values."""


def dropped(seed=0, step=0, tokens=NUMBERED, rate=2 / 3):
    module = TokenDropping(rate, 1, seed)
    module.step = step
    return module(tokens)


def test_a_share_of_the_patches_is_kept_and_the_class_token_always():
    kept = dropped()
    assert kept.shape == (6, 4, 4)
    assert torch.equal(kept[:, 0], NUMBERED[:, 0])
    for image, before in zip(kept, NUMBERED, strict=True):
        rows = {tuple(row) for row in image[1:].tolist()}
        assert len(rows) == 3 and rows <= {tuple(row) for row in before[1:].tolist()}


def test_images_steps_and_seeds_have_choices_of_their_own():
    assert not torch.equal(dropped()[0], dropped()[1])
    assert torch.equal(dropped(step=3), dropped(step=3))
    assert not torch.equal(dropped(step=3), dropped(step=4))
    assert not torch.equal(dropped(seed=1), dropped(seed=2))


def test_one_token_is_left_of_the_fewest():
    assert dropped(tokens=NUMBERED[:, :2], rate=0.9).shape == (6, 2, 4)


def test_processes_keep_what_one_keeps(monkeypatch):
    whole = dropped(step=7)
    monkeypatch.setattr(token_drop, "world_size", lambda: 2)
    for rank in (0, 1):
        monkeypatch.setattr(token_drop.group, "rank", lambda rank=rank: rank)
        own = slice(3 * rank, 3 * rank + 3)
        assert torch.equal(dropped(step=7, tokens=NUMBERED[own]), whole[own])


def test_every_token_is_equally_likely():
    many = torch.arange(10.0).reshape(1, 10, 1).repeat(5000, 1, 1)
    counts = torch.bincount(dropped(tokens=many)[:, 1:].flatten().long(), minlength=10)[1:]
    assert counts.sum() == 15_000
    assert (counts / 5000).tolist() == pytest.approx([1 / 3] * 9, abs=0.03)


def test_evaluation_and_the_last_steps_see_all_tokens():
    vit = build_vit(ARCHITECTURES["vit_nano_conv16"])
    images = torch.rand(2, 3, 64, 64)
    drop_tokens(vit, 0.5, seed=0)
    assert vit.train()(images).patches.shape[2:] == (1, 8)
    with all_tokens(vit):
        assert vit(images).patches.shape[2:] == (4, 4)
    assert vit(images).patches.shape[2:] == (1, 8)
    assert vit.eval()(images).patches.shape[2:] == (4, 4)


def test_flops_are_those_of_the_steps_so_far(pairs):
    recipe = Recipe(
        objective={"type": "catlip"},
        optimizer={"lr": 1e-3},
        architecture="vit_nano_conv16",
        image_size=64,
        token_drop={"rate": 0.5, "until": 0.5},
        samples=800,
        batch_size=8,
    )
    reading = SynsetLabels(pairs, {})
    model = ImageTextModel(build_vit(ARCHITECTURES["vit_nano_conv16"]), CatLIP(32, **reading.found))
    drop_tokens(model.vit, 0.5, seed=0)
    flops = flops_of_run(recipe, model, reading, batch_size=4)
    first, half, whole = (flops(samples)["backbone"] for samples in (8, 400, 800))
    assert first == half
    assert whole > 1.2 * half
    with all_tokens(model.vit):
        everything = flops_of_run(recipe.model_copy(update={"token_drop": None}), model, reading, 4)(800)
    assert whole == pytest.approx((half + everything["backbone"]) / 2)
    assert flops(800)["head"] == everything["head"]
