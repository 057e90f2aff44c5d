"""The segmentation task: one cell on drawn data, and fed with bad data."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from dense_data import SMALL_SEGMENTOR, write_ade20k
from mmengine.optim import OptimWrapper
from PIL import Image

from backbones import UserError, precision
from benchmark.metrics.iou import read_counts
from benchmark.tasks import segmentation
from benchmark.tasks.base import TaskContext
from benchmark.tasks.segmentation import Segmentation, SegmentationSettings
from common.configs import read_config

CONFIGS = Path(__file__).parents[3] / "task_configs" / "segmentation"
SPLITS = {"training": 6, "validation": 2, "test": 5}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_ade20k(tmp_path_factory.mktemp("data") / "ade", SPLITS, 48)


def context(data, out, config="demo_deeplabv3.py", said=None, **overrides):
    out.mkdir(exist_ok=True)
    told = said if said is not None else []
    cfg = read_config(CONFIGS / config, {**SMALL_SEGMENTOR, **overrides})
    return TaskContext(cfg, data, out, "random:vit_nano_conv16", 0, lambda *entry, **pace: told.append(entry))


@pytest.mark.parametrize("config", ["demo_deeplabv3.py", "demo_linear_seg.py"])
def test_a_cell_is_trained_tested_and_written_down(data, tmp_path, config):
    options = {"model.decode_head.channels": 16} if "deeplab" in config else {}
    said_of = {"a": "thing", "b": "stuff", "c": "thing"}
    outcome = Segmentation().run(context(data, tmp_path / "cell", config, **options))
    assert (outcome.primary, outcome.also) == ("mIoU_things", ["mIoU", "mIoU_stuff"])
    assert set(outcome.metrics) == {"mIoU", "mAcc", "aAcc", "mIoU_things", "mIoU_stuff"}
    iou = outcome.details["class_iou"]
    for kind in ("thing", "stuff"):
        values = [iou[name] for name, other in said_of.items() if other == kind and name in iou]
        name = {"thing": "mIoU_things", "stuff": "mIoU_stuff"}[kind]
        assert outcome.metrics[name].value == pytest.approx(np.mean(values), abs=1e-3)
    for metric in outcome.metrics.values():
        assert 0 <= metric.low <= metric.high <= 100 and metric.n == 5
        assert metric.truth == "population of images" and metric.bias is not None
    counts = read_counts(tmp_path / "cell" / "pixel_counts.npz")
    # own resolution, without the square of 8 x 8 that belongs to no class
    sizes = [48 * (48 + 8 * (index % 3)) - 64 for index in range(5)]
    assert counts["labelled"].sum(axis=1).tolist() == sizes == counts["predicted"].sum(axis=1).tolist()
    assert counts["image"].tolist() == [f"{index:04}.jpg" for index in range(5)]
    assert len(outcome.per_image) == 5 and outcome.per_image["pixels"].tolist() == sizes
    correct = 100 * counts["intersection"].sum() / sum(sizes)
    assert outcome.metrics["aAcc"].value == pytest.approx(correct)
    assert set(outcome.details["class_iou"]) <= {"a", "b", "c"}
    # the maps that are kept to be looked at are what was counted, numbered as annotations are
    kept = sorted((tmp_path / "cell" / "predictions").iterdir())
    assert [file.stem for file in kept] == [f"{index:04}" for index in range(5)]
    label = np.asarray(Image.open(data / "annotations" / "test" / "0000.png"))
    shown = np.asarray(Image.open(kept[0]))
    assert shown.min() >= 1 and ((shown == label) & (label > 0)).sum() == counts["intersection"][0].sum()
    assert not list((tmp_path / "cell").rglob("*.pth"))


def test_what_was_decided_about_the_precision_is_written_down(data, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(precision, "cpu_speeds", lambda width: asked.append(width) or precision.Speeds(1, 2))
    options = {"optim_wrapper.precision": "auto", "model.decode_head.channels": 16}
    outcome = Segmentation().run(context(data, tmp_path / "auto", **options))
    assert outcome.details["precision"] == "bf16" and asked == [32]


@pytest.mark.parametrize(
    ("wrapper", "expected"),
    [
        (precision.Bf16OptimWrapper, "float32"),
        (OptimWrapper, "float32"),
        (type("Another", (OptimWrapper,), {}), None),
    ],
)
def test_the_record_says_no_more_than_is_known_of_the_precision(wrapper, expected):
    options = {"precision": "float32"} if wrapper is precision.Bf16OptimWrapper else {}
    made = wrapper(optimizer=torch.optim.SGD([torch.zeros(1)], lr=1.0), **options)
    cfg = SimpleNamespace(batch_per_step=8)
    runner = SimpleNamespace(optim_wrapper=made, max_iters=4, world_size=2, cfg=cfg)
    assert segmentation.openmmlab_runner.scale(runner) == {
        "iterations": 4,
        "batch_size": 8,
        "processes": 2,
        "precision": expected,
    }


def test_a_linear_classifier_learns_colours_on_a_frozen_backbone(data, tmp_path):
    options = {"train_cfg.max_iters": 30, "optim_wrapper.optimizer.lr": 0.05, "param_scheduler": []}
    outcome = Segmentation().run(context(data, tmp_path / "cell", "demo_linear_seg.py", **options))
    assert outcome.metrics["mIoU"].value > 60


def test_a_cell_reads_the_weights_once(data, tmp_path, readings):
    Segmentation().run(context(data, tmp_path / "cell"))
    assert readings.count(True) == 1


def test_a_headline_must_be_measured():
    assert segmentation.headlines("mIoU", None) == ["mIoU"]
    assert segmentation.headlines("mIoU_stuff", ["thing", "stuff"]) == ["mIoU_stuff", "mIoU", "mIoU_things"]
    with pytest.raises(UserError, match="without a column kind"):
        segmentation.headlines("mIoU_things", None)


def test_bad_data_are_the_users_errors(data, tmp_path):
    with pytest.raises(UserError, match=r"images/training does not exist"):
        Segmentation().run(context(tmp_path, tmp_path / "a"))
    options = {"test_dataloader.dataset.data_prefix.img_path": "images/training"}
    with pytest.raises(UserError, match="must not be trained on"):
        Segmentation().run(context(data, tmp_path / "b", **options))


def test_real_ade20k_keeps_its_own_150_classes(tmp_path):
    data = write_ade20k(tmp_path / "ade", SPLITS, 48, classes=None)
    cell = context(data, tmp_path / "cell")
    cfg = segmentation.openmmlab_runner.runner_config(cell, SegmentationSettings())
    assert segmentation.fill_in(cfg, cell) is None
    assert cfg.train_dataloader.dataset.type == "ADE20KDataset"
    assert cfg.model.decode_head.in_channels == 32
