"""The backbone contract, asked of every kind of backbone there is."""

import copy
import dataclasses

import pytest
import torch
from timm.layers import resample_abs_pos_embed
from torch._dynamo.utils import counters

from backbones import load_backbone
from backbones.architectures import ARCHITECTURES
from backbones.vit import build_vit, compile_blocks, tune
from common.errors import UserError

NAMES = ["random:vit_nano_conv16", "random:vit_mini_conv16", "random:vit_tiny_patch16_224"]


@pytest.fixture(params=NAMES, scope="module")
def vit(request):
    return load_backbone(request.param)


@pytest.mark.parametrize("size", [(64, 64), (96, 160), (70, 100)])
def test_tokens_have_the_promised_shapes_at_any_size(vit, size):
    with torch.no_grad():
        tokens = vit(torch.rand(2, 3, *size))
    grid = tuple(-(-side // 16) for side in size)
    assert tokens.class_token.shape == (2, vit.embed_dim)
    assert tokens.patches.shape == (2, vit.embed_dim, *grid)


def test_feature_maps_follow_their_strides(vit):
    with torch.no_grad():
        maps = vit.feature_maps(torch.rand(1, 3, 64, 96), strides=(4, 8, 16, 32))
    assert [tuple(m.shape[2:]) for m in maps] == [(16, 24), (8, 12), (4, 6), (2, 3)]
    with pytest.raises(ValueError, match="stride 0 is no number of pixels"):
        vit.feature_maps(torch.rand(1, 3, 64, 64), strides=(0,))


def test_layer_of_covers_every_parameter_and_rises_with_depth(vit):
    layers = [vit.layer_of(name) for name, _ in vit.named_parameters()]
    assert layers[0] == 0 and max(layers) == vit.depth + 1
    assert layers == sorted(layers)
    assert vit.layer_of("backbone.vit.trunk.blocks.1.mlp.fc1.weight") == 2
    with pytest.raises(KeyError):
        vit.layer_of("classifier.weight")


def test_gradients_reach_every_parameter(vit):
    vit.zero_grad()
    tokens = vit(torch.rand(2, 3, 64, 64))
    (tokens.class_token.square().sum() + tokens.patches.square().sum()).backward()
    missing = [name for name, p in vit.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert missing == []


def test_class_token_and_patches_come_after_the_final_norm(vit):
    with torch.no_grad():
        image = torch.rand(1, 3, 64, 64)
        features = vit.trunk.forward_features(image)
        tokens = vit(image)
    torch.testing.assert_close(tokens.class_token, features[:, 0])
    torch.testing.assert_close(tokens.patches.flatten(2).transpose(1, 2), features[:, 1:])


def test_bf16_stays_close_to_float32(vit):
    image = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        exact = vit(image).class_token
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = vit(image).class_token.float()
    assert torch.nn.functional.cosine_similarity(exact, rough).min() > 0.99


def test_positions_are_resized_as_timm_does():
    vit = load_backbone("random:vit_nano_conv16")
    resized = copy.deepcopy(vit)
    positions = resample_abs_pos_embed(vit.trunk.pos_embed, [2, 6], [4, 4], num_prefix_tokens=0)
    resized.trunk.pos_embed = torch.nn.Parameter(positions)
    resized.trunk.patch_embed.grid_size = (2, 6)
    image = torch.rand(1, 3, 32, 96)
    with torch.no_grad():
        torch.testing.assert_close(vit(image).patches, resized(image).patches)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_settings_for_speed_do_not_change_the_result(device):
    vit = load_backbone("random:vit_nano_conv16")
    image = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        before = vit(image)
        after = tune(vit, device)(image)
    torch.testing.assert_close(before.class_token, after.class_token, atol=1e-5, rtol=1e-5)
    stem = vit.trunk.patch_embed.conv1.weight
    assert stem.is_contiguous(memory_format=torch.channels_last) and not stem.is_contiguous()
    assert {block.attn.fused_attn for block in vit.trunk.blocks} == {device == "cuda"}


def test_compiled_blocks_keep_names_results_and_every_rate_of_stochastic_depth():
    layout = dataclasses.replace(ARCHITECTURES["vit_nano_conv16"], depth=10)
    plain = build_vit(layout, drop_path_rate=0.1).eval()
    compiled = compile_blocks(copy.deepcopy(plain), backend="aot_eager")
    assert compiled.state_dict().keys() == plain.state_dict().keys()
    image = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(compiled(image).class_token, plain(image).class_token)
    counters.clear()
    compiled.train()(image).class_token.sum().backward()
    assert counters["frames"]["ok"] == counters["frames"]["total"] > 8


def test_compiling_without_a_compiler_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(UserError, match="needs a C\\+\\+ compiler"):
        compile_blocks(load_backbone("random:vit_nano_conv16"))
