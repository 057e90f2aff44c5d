"""Frozen features of a cell: kept where there is a results folder, the same where there is none."""

from __future__ import annotations

import os

import pytest
import torch
from image_data import draw_images
from mmengine.config import Config

from benchmark.data.image_folder import read_split
from benchmark.features.frozen import FrozenFeatures
from benchmark.tasks.base import TaskContext
from common.progress import silent


@pytest.fixture(autouse=True)
def small_models(one_thread):
    """All models here are small."""


@pytest.fixture
def frozen(tmp_path):
    draw_images(tmp_path / "data")

    def make(results, seed=0, kinds=("class_token",)):
        name = "random:vit_nano_conv16"
        context = TaskContext(Config({"task": {}}), tmp_path / "data", tmp_path, name, seed, silent, results)
        return FrozenFeatures(context, read_split(tmp_path / "data", "train"), 8, 0, kinds)

    return make


def test_kept_features_are_those_that_were_made_and_need_no_weights(frozen, tmp_path):
    test = read_split(tmp_path / "data", "test", ["blue", "green", "red"])
    fresh = frozen(None).of(test, "test").tensor()
    first = frozen(tmp_path / "results").of(test, "test").tensor()
    again = frozen(tmp_path / "results")
    assert torch.equal(first, fresh) and torch.equal(again.of(test, "test").tensor(), first)
    assert "vit" not in vars(again), "the backbone was not loaded"
    assert again.preprocessing == frozen(None).preprocessing


def test_another_seed_other_training_images_or_a_touched_picture_are_made_again(frozen, tmp_path):
    test = read_split(tmp_path / "data", "test", ["blue", "green", "red"])
    results = tmp_path / "results"
    first = frozen(results).of(test, "test").tensor()
    assert not torch.equal(frozen(results, seed=1).of(test, "test").tensor(), first)
    path = tmp_path / "data" / test.paths[0]
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    again = frozen(results)
    assert torch.equal(again.of(test, "test").tensor(), first) and "vit" in vars(again)


def test_both_are_side_by_side_and_from_one_pass(frozen, tmp_path):
    test = read_split(tmp_path / "data", "test", ["blue", "green", "red"])
    found = frozen(tmp_path / "results", kinds=("both",))
    both = found.of(test, "test", "both").tensor()
    del found.vit  # a second pass would have to load it again
    parts = [found.of(test, "test", kind).tensor() for kind in ("class_token", "patch_mean")]
    assert torch.equal(both, torch.cat(parts, dim=1)) and "vit" not in vars(found)
