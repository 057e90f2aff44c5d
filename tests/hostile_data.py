"""Hostile data for tests: how they are refused, and what a run does with data before it builds a model."""

from __future__ import annotations

import pytest
from mmengine.config import Config

from benchmark.tasks import detection, segmentation
from benchmark.tasks.base import TaskContext
from common.errors import UserError

OUTSIDE = "secret.png"
"""A picture beside the data's folder: nothing may lead there."""


def everything(root):
    """All files below a folder, with their sizes."""
    return {path: path.lstat().st_size for path in root.rglob("*")}


def refused(act, root, *words):
    """The one line with which `act` refuses; it says all `words` and changes no file."""
    before = everything(root)
    with pytest.raises(UserError) as caught:
        act()
    text = str(caught.value)
    assert "\n" not in text and "Traceback" not in text and "\x1b" not in text, text
    assert len(text) < 1500 and all(word in text for word in words), text
    assert everything(root) == before
    return text


def context(data, **entries):
    """A cell on these data, as far as its data are put into its config."""
    cfg = Config({"task": {"type": "x", "data": "x"}, **entries})
    return cfg, TaskContext(cfg, data, data.parent / "out", "random:vit_nano_conv16", 0, lambda *a, **k: None)


def detect(data):
    """What a run of detection does before a model is built."""
    loaders = {
        f"{name}_dataloader": {
            "dataset": {
                "ann_file": f"annotations/instances_{name}2017.json",
                "data_prefix": {"img": f"{name}2017/"},
                "pipeline": [{"type": "LoadImageFromFile"}, {"type": "LoadAnnotations"}],
            }
        }
        for name in ("train", "val", "test")
    }
    return detection.fill_in(*context(data, model={}, **loaders))


def segment(data):
    """What a run of segmentation does before a model is built."""
    loaders = {
        f"{part}_dataloader": {
            "dataset": {
                "data_prefix": {"img_path": f"images/{split}", "seg_map_path": f"annotations/{split}"},
                "pipeline": [{"type": "LoadImageFromFile"}, {"type": "LoadAnnotations"}],
            }
        }
        for part, split in (("train", "training"), ("val", "validation"), ("test", "validation"))
    }
    return segmentation.fill_in(*context(data, model={"decode_head": {}}, **loaders))
