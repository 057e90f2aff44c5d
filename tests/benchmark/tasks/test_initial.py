"""Transfer Init in tasks: which rows a class layer starts from, and when it is refused."""

from dataclasses import replace

import pytest
import torch
from dense_data import SMALL_DETECTOR, SMALL_SEGMENTOR, write_ade20k, write_coco
from mmengine.runner import Runner
from torch import nn

from backbones import UserError, load_backbone
from benchmark.tasks import openmmlab_runner
from benchmark.tasks.base import TaskContext
from benchmark.tasks.detection import Detection
from benchmark.tasks.initial import InitSettings, initial_from, initial_of, start_rows
from benchmark.tasks.segmentation import Segmentation
from common.configs import CONFIGS, read_config
from common.progress import silent


def context(config, data, out, backbone, **overrides):
    out.mkdir(exist_ok=True)
    return TaskContext(read_config(CONFIGS / config, overrides), data, out, backbone, 0, silent)


@pytest.fixture
def source(catlip):
    return load_backbone(catlip).synset_classifier


def test_rows_are_those_of_the_backbones_own_classifier(catlip, source):
    found = initial_from(source, InitSettings(init="transfer", alpha=1), ["cat", "qwert", "red"], seed=0)
    assert found.matched.tolist() == [True, False, True]
    assert found.report["labels"]["exact"] == 2 and found.report["labels"]["none"] == 1
    named = {match["label"]: match["class_name"] for match in found.report["matches"]}
    assert named["cat"] == "cat.n.01" and named["red"] == "red.n.01"
    rows = {tuple(weight.tolist()) for weight in source.weight}
    assert tuple(found.weight[0].tolist()) in rows and tuple(found.weight[1].tolist()) not in rows
    assert found.bias[0] in source.bias
    zero = initial_from(source, InitSettings(init="transfer", init_bias="zero"), ["cat"], seed=0)
    assert zero.bias.tolist() == [0.0]


def test_who_has_no_classifier_is_refused(tmp_path, source):
    cell = context("detection/demo_mask_rcnn.py", tmp_path, tmp_path, "random:vit_nano_conv16")
    assert initial_of(cell, InitSettings(), ["cat"]) is None
    with pytest.raises(UserError, match="no classifier over synsets"):
        initial_of(cell, InitSettings(init="transfer"), ["cat"])
    with pytest.raises(UserError, match=r"none of 2 labels \(qwert, \.\.\.\)"):
        initial_from(source, InitSettings(init="transfer"), ["qwert", "asdf"], 0)


def test_a_layer_as_wide_as_the_backbone_gets_the_rows_themselves(source):
    found = initial_from(source, InitSettings(init="transfer", alpha=1), ["cat", "qwert", "red"], seed=0)
    for layer in (nn.Linear(source.weight.shape[1], 4), nn.Conv2d(source.weight.shape[1], 3, 1)):
        before, bias = layer.weight.detach().clone().flatten(1), layer.bias.detach().clone()
        start_rows(layer, found, seed=0)
        after = layer.weight.detach().flatten(1)
        assert torch.equal(after[[0, 2]], found.weight[[0, 2]]) and torch.equal(after[1], before[1])
        assert torch.equal(layer.bias[[0, 2]], found.bias[[0, 2]]) and layer.bias[1] == bias[1]
        assert torch.equal(after[3:], before[3:])
        assert layer.weight.requires_grad and layer.weight.is_leaf


def test_a_layer_of_another_width_learns_which_classes_are_alike(source):
    width = source.weight.shape[1]
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(5, width, generator=generator)
    weight[1] = weight[0] + 0.1 * weight[1]
    found = initial_from(source, InitSettings(init="transfer", alpha=1), ["cat", "red", "sky"], seed=0)
    found = replace(found, weight=weight, bias=torch.ones(5), matched=torch.ones(5, dtype=torch.bool))
    layer = nn.Linear(4 * width, 6)
    nn.init.normal_(layer.weight, std=0.01)
    length, bias = layer.weight.norm(dim=1).mean().item(), layer.bias.detach().clone()
    start_rows(layer, found, seed=0)
    after = layer.weight.detach()[:5]
    assert after.norm(dim=1).mean().item() == pytest.approx(length, rel=1e-5)
    centred = weight - weight.mean(0)
    angles = nn.functional.cosine_similarity(after[:, None], after[None], dim=2)
    expected = nn.functional.cosine_similarity(centred[:, None], centred[None], dim=2)
    torch.testing.assert_close(angles, expected, atol=1e-5, rtol=0)  # wider: no angle is lost
    assert torch.equal(layer.bias, bias)


@pytest.mark.parametrize("kind", ["detection", "linear", "deeplabv3"])
def test_dense_tasks_start_from_them_and_only_once(kind, catlip, tmp_path, monkeypatch):
    if kind == "detection":
        data = write_coco(tmp_path / "data", {"train": 4, "val": 2, "test": 2}, 64)
        task, config, small = Detection(), "detection/demo_mask_rcnn.py", SMALL_DETECTOR
        layer, labels = "roi_head.bbox_head.fc_cls", 2
    else:
        data = write_ade20k(
            tmp_path / "data", {"training": 4, "validation": 2, "test": 2}, 48, ("cat", "qwert", "sky")
        )
        name = "demo_linear_seg" if kind == "linear" else "demo_deeplabv3"
        task, config, small = Segmentation(), f"segmentation/{name}.py", SMALL_SEGMENTOR
        layer, labels = "decode_head.conv_seg", 3
        if kind == "deeplabv3":
            small = {**small, "model.decode_head.channels": 16}
    seen = []
    original = openmmlab_runner.StartHook.before_train

    def watched(self, runner: Runner) -> None:
        before = runner.model.get_submodule(layer).weight.detach().clone()
        original(self, runner)
        seen.append((before, runner.model.get_submodule(layer).weight.detach().clone()))

    monkeypatch.setattr(openmmlab_runner.StartHook, "before_train", watched)
    cell = context(config, data, tmp_path / "cell", catlip, **small, **{"+task.init": "transfer"})
    outcome = task.run(cell)
    ((before, after),) = seen
    changed = (before != after).flatten(1).any(1).tolist()
    matched = [entry["kind"] in {"exact", "similar"} for entry in outcome.details["transfer_init"]["matches"]]
    assert changed[:labels] == matched and any(matched) and not any(changed[labels:])


def test_a_model_without_such_a_layer_is_refused_by_name(source):
    from benchmark.tasks.initial import start_rows_of

    found = initial_from(source, InitSettings(init="transfer"), ["cat"], seed=0)
    with pytest.raises(UserError, match=r"class layer head\.fc, which Linear does not have"):
        start_rows_of(nn.Linear(2, 2), "head.fc", found, 0)
    with pytest.raises(UserError, match="no class layer for 1 classes"):
        start_rows_of(nn.Sequential(nn.ReLU()), "0", found, 0)


def test_a_training_that_goes_on_is_left_alone():
    from types import SimpleNamespace

    acted = []
    hook = openmmlab_runner.StartHook(acted.append)
    hook.before_train(SimpleNamespace(iter=3, model=nn.Linear(1, 1)))
    assert not acted
    hook.before_train(SimpleNamespace(iter=0, model=nn.Linear(1, 1)))
    assert len(acted) == 1
