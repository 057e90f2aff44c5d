"""The contract's questions, asked of the computation of every source in the catalogue (small)."""

import pytest
import torch

from backbones import load_backbone
from backbones.card import Card
from backbones.checkpoints import run
from backbones.layout import Layout
from backbones.preprocessing import Preprocessing
from backbones.trunk import build_trunk
from backbones.vit import ViT

SOURCES = {
    "corenet": {"stem": "conv", "positions": "corenet"},
    "corenet dense": {"stem": "conv", "positions": "corenet", "class_token": False, "pooling": "avg"},
    "openai": {"embed_class": True, "pre_norm": True, "patch_bias": False, "activation": "quick_gelu"},
    "openclip clipa": {"embed_class": True, "patch_bias": False, "pooling": "avg", "norm": "after"},
    "openclip coca-like": {"embed_class": True, "pre_norm": True, "patch_bias": False, "layer_scale": True},
    "superclass": {"embed_class": True, "pre_norm": True, "patch_bias": False, "pooling": "avg"},
    "hf siglip": {"class_token": False, "pooling": "map", "activation": "gelu_tanh", "positions": "bicubic"},
    "hf vit": {"embed_class": True, "norm_eps": 1e-12, "positions": "bicubic"},
    "hf dinov2": {"embed_class": True, "layer_scale": True, "activation": "swiglu", "positions": "bicubic"},
    "timm dinov2 reg4": {"registers": 4, "layer_scale": True},
    "timm gap": {"class_token": False, "pooling": "avg", "norm": "after"},
    "run": {"stem": "conv"},
}


def layout(source):
    base = {"embed_dim": 48, "depth": 3, "num_heads": 3, "image_size": 64, "stem": "linear"}
    return Layout(**{**base, **SOURCES[source]})


@pytest.fixture(params=SOURCES)
def vit(request):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ViT(build_trunk(layout(request.param)), Preprocessing(64)).eval()


def test_shapes_at_three_sizes(vit):
    for height, width in ((64, 64), (96, 160), (70, 100)):
        with torch.no_grad():
            tokens = vit(torch.rand(2, 3, height, width))
        assert tokens.class_token.shape == (2, 48)
        assert tokens.patches.shape == (2, 48, -(-height // 16), -(-width // 16))


def test_gradients_reach_every_trainable_tensor(vit):
    tokens = vit(torch.rand(2, 3, 64, 96))
    weights = torch.randn(48)
    loss = (tokens.class_token @ weights).sum() + (tokens.patches.flatten(2).mT @ weights).square().sum()
    loss.backward()
    assert [n for n, p in vit.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_layer_of_covers_every_parameter_and_rises_with_depth(vit):
    layers = [vit.layer_of(name) for name, _ in vit.named_parameters()]
    assert layers == sorted(layers) and layers[0] == 0 and max(layers) == 4


def test_feature_maps_at_the_usual_strides(vit):
    with torch.no_grad():
        maps = vit.feature_maps(torch.rand(1, 3, 64, 96))
    assert [tuple(m.shape[2:]) for m in maps] == [(16, 24), (8, 12), (4, 6), (2, 3)]


def test_bf16_stays_close_to_float32(vit):
    images = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        exact = vit(images).class_token
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = vit(images).class_token.float()
    assert torch.nn.functional.cosine_similarity(exact, rough).min() > 0.99


@pytest.mark.parametrize("source", SOURCES)
def test_the_state_survives_saving_and_loading(source, tmp_path):
    vit = ViT(build_trunk(layout(source)), Preprocessing(64)).eval()
    run.save(tmp_path, vit, Card())
    again = load_backbone(f"run:{tmp_path}")
    images = torch.rand(1, 3, 48, 96)
    with torch.no_grad():
        assert torch.equal(vit(images).class_token, again(images).class_token)
        assert torch.equal(vit(images).patches, again(images).patches)
    assert all(p.requires_grad for p in again.parameters())
    assert not any(tensor.is_meta for tensor in [*again.parameters(), *again.buffers()])
