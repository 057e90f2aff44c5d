"""The detection task: one cell on drawn data, resumed, failed, and fed with bad data."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from dense_data import SMALL_DETECTOR, write_coco

from backbones import UserError
from benchmark.metrics.coco_ap import NAMES
from benchmark.tasks import openmmlab_runner
from benchmark.tasks.base import TaskContext
from benchmark.tasks.detection import Detection
from common.configs import read_config

CONFIG = Path(__file__).parents[3] / "task_configs" / "detection" / "demo_mask_rcnn.py"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_coco(tmp_path_factory.mktemp("data") / "coco", {"train": 6, "val": 2, "test": 4}, 64)


class Killed(BaseException):
    """What a killed process is to the loop."""


def context(data, out, seed=0, said=None, kill=None, **overrides):
    out.mkdir(exist_ok=True)
    told = said if said is not None else []

    def report(stage, done=0, total=0, loss=None, **pace):
        told.append((stage, done, total, loss))
        if kill and stage == "training" and done == kill:
            raise Killed

    cfg = read_config(CONFIG, {**SMALL_DETECTOR, **overrides})
    return TaskContext(cfg, data, out, "random:vit_nano_conv16", seed, report)


def test_a_cell_is_trained_tested_and_written_down(data, tmp_path):
    said = []
    outcome = Detection().run(context(data, tmp_path / "cell", said=said))
    assert outcome.primary == "bbox_mAP"
    expected = {
        f"{kind}_{name}" for kind in ("bbox", "segm") for name in NAMES if name[-2:] not in {"_m", "_l"}
    }
    assert set(outcome.metrics) == expected
    for name, metric in outcome.metrics.items():
        assert 0 <= metric.value <= 100 and metric.n == 4
        assert metric.unit == ("AP" if "mAP" in name else "AR")
        if "mAP" in name:
            assert 0 <= metric.low <= metric.high <= 100 and metric.truth == "population of images"
            assert metric.bias >= 0 and metric.coverage is None, "four images were never simulated"
    assert outcome.details == {
        "iterations": 4,
        "batch_size": 2,
        "processes": 1,
        "precision": "float32",
        "categories": 2,
    }
    table = outcome.per_image
    assert isinstance(table, pd.DataFrame) and len(table) == 4
    assert {"image_id", "file_name", "objects", "bbox_found_50", "segm_found_75"} <= set(table.columns)
    for kind in ("bbox", "segm"):
        found = json.loads((tmp_path / "cell" / f"detections.{kind}.json").read_text())
        assert found and {entry["category_id"] for entry in found} <= {1, 4}
        assert len(found) == table[f"{kind}_detections"].sum()
    training = [entry for entry in said if entry[0] == "training"]
    assert [entry[1] for entry in training] == [1, 2, 3, 4] and training[0][2] == 4
    assert all(entry[3] > 0 for entry in training)
    logs = list((tmp_path / "cell" / "training").glob("*/*.log"))
    assert logs and "Iter(train)" in logs[0].read_text()
    assert not list((tmp_path / "cell").rglob("*.pth"))


def test_the_seed_decides_and_a_killed_training_goes_on(data, tmp_path):
    whole = Detection().run(context(data, tmp_path / "whole", **{"+task.keep_weights": True}))
    with pytest.raises(Killed):
        Detection().run(context(data, tmp_path / "killed", kill=3))
    assert (tmp_path / "killed" / "training" / "iter_2.pth").is_file()
    said = []
    resumed = Detection().run(context(data, tmp_path / "killed", said=said, **{"+task.keep_weights": True}))
    assert [entry[1] for entry in said if entry[0] == "training"] == [3, 4]
    assert set(resumed.metrics) == set(whole.metrics)
    weights = torch.load(tmp_path / "killed" / "model.pth", weights_only=True)["state_dict"]
    assert "backbone.vit.trunk.pos_embed" in weights


def test_a_recipes_batch_is_made_of_several_and_written_down(data, tmp_path):
    recipe = {"enable": False, "base_batch_size": 6}
    cell = context(data, tmp_path / "cell", **{"+auto_scale_lr": recipe, "train_cfg.max_iters": 2})
    outcome = Detection().run(cell)
    assert outcome.details["iterations"] == 2 and outcome.details["batch_size"] == 6
    # the config, of which the result's fingerprint is taken, knows nothing of this machine
    assert cell.cfg.train_cfg.type == "IterBasedTrainLoop" and cell.cfg.train_dataloader.batch_size == 2


def test_validation_may_be_left_out(data, tmp_path):
    said = []
    options = {"+task.validate": False, "train_cfg.max_iters": 1, "train_cfg.val_interval": 1}
    outcome = Detection().run(context(data, tmp_path / "cell", said=said, **options))
    assert outcome.details["iterations"] == 1
    assert {entry[0] for entry in said} == {"training", "test", "bbox AP", "segm AP"}


def test_what_a_planted_checkpoint_holds_is_not_run(data, tmp_path):
    class Planted:
        def __reduce__(self):
            return Path.touch, (tmp_path / "trace",)

    training = tmp_path / "cell" / "training"
    training.mkdir(parents=True)
    torch.save({"meta": Planted()}, training / "iter_50.pth")
    (training / "last_checkpoint").write_text(str(training / "iter_50.pth"))
    said = []
    outcome = Detection().run(context(data, tmp_path / "cell", said=said))
    assert not (tmp_path / "trace").exists()
    assert [entry[1] for entry in said if entry[0] == "training"] == [1, 2, 3, 4]
    assert outcome.details["iterations"] == 4


def test_a_loss_that_is_no_number_ends_the_cell_at_once(data, tmp_path, monkeypatch):
    from mmdet.models.roi_heads import StandardRoIHead

    loss = StandardRoIHead.loss
    calls = []

    def broken(self, *args, **kwargs):
        calls.append(1)
        values = loss(self, *args, **kwargs)
        if len(calls) == 3:
            values["loss_cls"] = values["loss_cls"] * float("nan")
        return values

    monkeypatch.setattr(StandardRoIHead, "loss", broken)
    with pytest.raises(FloatingPointError, match=r"loss is nan at iteration 3 .*loss_cls nan"):
        Detection().run(context(data, tmp_path / "cell"))
    assert len(calls) == 3
    assert not list((tmp_path / "cell").rglob("*.pth"))
    assert not (tmp_path / "cell" / "training" / "last_checkpoint").exists()


def test_bad_data_and_settings_are_the_users_errors(data, tmp_path):
    with pytest.raises(UserError, match=r"instances_train\.json does not exist"):
        Detection().run(context(tmp_path, tmp_path / "a"))
    with pytest.raises(UserError, match="keep_wights"):
        Detection().run(context(data, tmp_path / "b", **{"+task.keep_wights": True}))
    with pytest.raises(UserError, match="must not be trained on"):
        options = {"test_dataloader.dataset.ann_file": "annotations/instances_train.json"}
        Detection().run(context(data, tmp_path / "c", **options))
    other = write_coco(tmp_path / "other", {"train": 2, "val": 2, "test": 2}, 48)
    file = other / "annotations" / "instances_test.json"
    content = json.loads(file.read_text())
    content["categories"].reverse()
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match="other categories"):
        Detection().run(context(other, tmp_path / "d"))


def test_the_weights_are_read_once_and_not_in_the_preparation(data, tmp_path, readings):
    from backbones.openmmlab import ViTBackbone
    from benchmark.tasks.detection import fill_in

    cell = context(data, tmp_path / "cell")
    cfg = openmmlab_runner.runner_config(cell, openmmlab_runner.RunnerSettings())
    fill_in(cfg, cell)
    assert True not in readings
    ViTBackbone(**{key: value for key, value in cfg.model.backbone.items() if key != "type"})
    assert readings.count(True) == 1


def test_the_backbone_decides_the_necks_width(data, tmp_path):
    from benchmark.tasks.detection import fill_in

    for name, width in (("random:vit_nano_conv16", 32), ("random:vit_tiny_conv16", 192)):
        cell = context(data, tmp_path / "cell", seed=7)
        cell = TaskContext(cell.cfg, cell.data, cell.out, name, cell.seed, cell.report)
        cfg = openmmlab_runner.runner_config(cell, openmmlab_runner.RunnerSettings())
        fill_in(cfg, cell)
        assert cfg.model.neck.in_channels == cfg.optim_wrapper.width == width
        assert cfg.model.backbone.weights == name and cfg.model.backbone.seed == 7
        assert cfg.randomness.seed == 7
        assert cfg.model.roi_head.bbox_head.num_classes == cfg.model.roi_head.mask_head.num_classes == 2
        assert "task" not in cfg and "task" in cell.cfg
