"""What a task changes on a loaded ViT."""

import copy

import pytest
import torch
from timm.layers import DropPath

from backbones import load_backbone
from backbones.adapt import (
    calibrate_norms,
    drop_class_head,
    drop_class_token,
    freeze,
    norms_without_statistics,
    set_drop_path,
    set_output_stride,
)

CONV, LINEAR = "random:vit_nano_conv16", "random:vit_tiny_patch16_224"


def test_calibrated_norms_hold_the_mean_over_batches_and_nothing_else_changes():
    vit = load_backbone("random:vit_nano_conv16")
    before = copy.deepcopy(vit.state_dict())
    norms = norms_without_statistics(vit)
    assert len(norms) == 2
    batches = [3 + 2 * torch.randn(4, 3, 32, 32) for _ in range(3)]
    calibrate_norms(vit, iter(batches))
    first = vit.trunk.patch_embed.conv1
    with torch.no_grad():
        seen = [first(images).transpose(0, 1).flatten(1) for images in batches]
    mean, variance = (torch.stack([getattr(x, name)(1) for x in seen]).mean(0) for name in ("mean", "var"))
    torch.testing.assert_close(norms[0].running_mean, mean)
    torch.testing.assert_close(norms[0].running_var, variance)
    assert norms_without_statistics(vit) == []
    assert not any(module.training for module in vit.modules())
    changed = {name for name, value in vit.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {name for name in before if "running_" in name or "num_batches" in name}


def test_statistics_that_are_there_are_kept():
    vit = load_backbone("random:vit_nano_conv16")
    calibrate_norms(vit, [torch.randn(4, 3, 32, 32)])
    before = copy.deepcopy(vit.state_dict())
    calibrate_norms(vit, [5 + torch.randn(4, 3, 32, 32)])
    assert all(torch.equal(value, before[name]) for name, value in vit.state_dict().items())


def test_drop_path_rises_linearly():
    vit = load_backbone("random:vit_mini_conv16")
    set_drop_path(vit, 0.5)
    rates = [getattr(block.drop_path1, "drop_prob", 0.0) for block in vit.trunk.blocks]
    assert rates == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert isinstance(vit.trunk.blocks[-1].drop_path2, DropPath)
    set_drop_path(vit, 0.0)
    assert not any(isinstance(module, DropPath) for module in vit.modules())
    with pytest.raises(ValueError, match="drop_path_rate"):
        set_drop_path(vit, 1.0)


@pytest.mark.parametrize("weights", [CONV, LINEAR])
@pytest.mark.parametrize("output_stride", [16, 8])
def test_tokens_lie_where_their_cells_are(weights, output_stride):
    """The pixels a patch embedding reads for a token are centred on the token's cell."""
    vit = load_backbone(weights)
    set_output_stride(vit, output_stride)
    for module in vit.trunk.patch_embed.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.constant_(module.weight, 0.01)
    batch = torch.rand(1, 3, 96, 96, requires_grad=True)
    grid = 96 // output_stride
    embedded = vit.trunk.patch_embed(batch).reshape(grid, grid, -1)
    row, column = grid // 2, grid // 3
    embedded[row, column].square().sum().backward()
    weight = batch.grad.abs().sum((0, 1))
    weight = weight / weight.sum()
    position = torch.arange(96.0)
    centre = [(weight.sum(1) * position).sum().item(), (weight.sum(0) * position).sum().item()]
    expected = [output_stride * (cell + 0.5) - 0.5 for cell in (row, column)]
    # a 4x4 convolution with stride 4 and padding 1 reads one pixel up and left of its cell
    assert centre == pytest.approx(expected, abs=1.05)


@pytest.mark.parametrize("weights", [CONV, LINEAR, "random:vit_small_patch14_dinov2"])
def test_tokens_and_maps_follow_the_output_stride(weights):
    vit = load_backbone(weights)
    set_output_stride(vit, 8)
    with torch.no_grad():
        tokens, maps = vit(torch.rand(1, 3, 33, 47)), vit.feature_maps(torch.rand(1, 3, 33, 47))
    assert tokens.patches.shape[2:] == (5, 6)
    assert [tuple(found.shape[2:]) for found in maps] == [(10, 12), (5, 6), (3, 3), (2, 2)]
    with pytest.raises(ValueError, match="output_stride"):
        set_output_stride(vit, 0)


def test_without_class_token_the_patches_know_nothing_of_it():
    vit = load_backbone(LINEAR)
    changed = copy.deepcopy(vit)
    with torch.no_grad():
        changed.trunk.cls_token += 1
        image = torch.rand(1, 3, 64, 64)
        assert not torch.equal(vit.feature_maps(image, (16,))[0], changed.feature_maps(image, (16,))[0])
        for each in (vit, changed):
            drop_class_token(each)
        assert torch.equal(vit.feature_maps(image, (16,))[0], changed.feature_maps(image, (16,))[0])
    assert vit.trunk.pos_embed.shape == (1, 196, 192)
    drop_class_token(vit)  # there is none to drop


def test_without_the_class_tokens_head_the_maps_stay_as_they_are():
    vit = load_backbone("random:vit_base_patch16_siglip_224")
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        before = vit.feature_maps(image)
        drop_class_head(vit)
        after = vit.feature_maps(image)
    assert vit.trunk.attn_pool is None and vit.synset_classifier is None
    assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))


def test_frozen_parts_are_those_below_the_stage():
    for stages in (-1, 0, 1, 2):
        vit = load_backbone(CONV)
        resting = freeze(vit, stages)
        frozen = {name for name, p in vit.named_parameters() if not p.requires_grad}
        assert frozen == {name for name, _ in vit.named_parameters() if vit.layer_of(name) <= stages}
        assert (vit.trunk.patch_embed in resting) == (stages >= 0)
    vit = load_backbone(CONV)
    assert freeze(vit, "all") == [vit] and not any(p.requires_grad for p in vit.parameters())
    for wrong in (3, -2, "most"):
        with pytest.raises(ValueError, match="frozen_stages"):
            freeze(vit, wrong)
