"""Layer-wise learning-rate decay, in MMDetection's way of building optimisers and in a plain model."""

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

from backbones import load_backbone
from backbones.openmmlab import ViTBackbone

NANO = "random:vit_nano_conv16"


class Dense(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.backbone = ViTBackbone(NANO, **options)
        self.neck = nn.Conv2d(32, 4, 1)
        self.neck_norm = nn.BatchNorm2d(4)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.vit = load_backbone(NANO)
        self.head = nn.Linear(32, 5)


def build(model, decay=0.5, **paramwise):
    cfg = {
        "type": "OptimWrapper",
        "optimizer": {"type": "AdamW", "lr": 1.0, "weight_decay": 0.1},
        "constructor": "LayerDecayOptimConstructor",
        "paramwise_cfg": {"layer_decay": decay, **paramwise},
    }
    return build_optim_wrapper(model, cfg)


def by_name(model, wrapper):
    names = {id(p): name for name, p in model.named_parameters()}
    found = {}
    for group in wrapper.optimizer.param_groups:
        for parameter in group["params"]:
            assert names[id(parameter)] not in found
            found[names[id(parameter)]] = (group["lr"], group["weight_decay"])
    return found


@pytest.mark.parametrize("model", [Dense(), Classifier()], ids=["dense", "classifier"])
def test_rates_fall_by_the_decay_per_layer(model):
    found = by_name(model, build(model))
    assert found.keys() == dict(model.named_parameters()).keys()
    vit = model.vit if isinstance(model, Classifier) else model.backbone.vit
    expected = {0: 0.125, 1: 0.25, 2: 0.5, 3: 0.5}  # depth 2: 0.5 ** (3 - layer), and the norm as block 2
    for name, (rate, _) in found.items():
        outside = name.startswith(("head", "neck"))
        assert rate == (1.0 if outside else expected[vit.layer_of(name)]), name


def test_norms_biases_positions_and_tokens_are_not_decayed():
    model = Classifier()
    for name, (_, decay) in by_name(model, build(model)).items():
        plain = name.endswith(("bias", "pos_embed", "cls_token")) or ".norm" in name
        assert decay == (0.0 if plain else 0.1), name
    assert not any(decay for name, (_, decay) in by_name(model, build(model)).items() if "pos_embed" in name)
    without = by_name(model, build(model, decay=1.0))
    assert {rate for rate, _ in without.values()} == {1.0}
    assert without["head.bias"][1] == 0.0 and without["head.weight"][1] == 0.1


def test_a_config_says_what_else_is_not_decayed():
    model = Dense()
    for name, (_, decay) in by_name(model, build(model, undecayed=["neck"])).items():
        flat = dict(model.named_parameters())[name].ndim < 2
        assert decay == (0.0 if flat or name == "neck.weight" else 0.1), name
    assert by_name(model, build(model, undecayed=[]))["backbone.vit.trunk.pos_embed"][1] == 0.1


def test_frozen_parameters_are_left_out_and_the_highest_rate_is_logged():
    model = Dense(frozen_stages=1)
    wrapper = build(model)
    found = by_name(model, wrapper)
    assert not any("blocks.0." in name or "patch_embed" in name for name in found)
    assert wrapper.get_lr()["lr"][0] == 1.0


def test_it_trains_under_our_bf16_wrapper():
    model = Classifier()
    cfg = {
        "type": "Bf16OptimWrapper",
        "precision": "float32",
        "optimizer": {"type": "AdamW", "lr": 1e-3},
        "constructor": "LayerDecayOptimConstructor",
    }
    wrapper = build_optim_wrapper(model, cfg)
    before = model.vit.trunk.blocks[0].attn.qkv.weight.clone()
    with wrapper.optim_context(model):
        loss = model.head(model.vit(torch.rand(2, 3, 32, 32)).class_token).square().mean()
    wrapper.update_params(loss)
    assert not torch.equal(model.vit.trunk.blocks[0].attn.qkv.weight, before)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"no backbones\.vit\.ViT"):
        build(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="decay_rate"):
        build(Dense(), decay_rate=0.7)
    with pytest.raises(ValueError, match="layer_decay"):
        build(Dense(), decay=0.0)
