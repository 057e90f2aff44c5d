"""Our backbones as MMDetection and MMSegmentation use them."""

import pytest
import torch
from mmengine.model import Sequential
from mmengine.registry import MODELS
from timm.layers import DropPath

from backbones import load_backbone
from backbones.openmmlab import ViTBackbone
from backbones.openmmlab.backbone import set_drop_path

CONV, LINEAR = "random:vit_nano_conv16", "random:vit_tiny_patch16_224"


pytestmark = pytest.mark.usefixtures("one_thread")


def images(*size):
    return torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("scope", ["mmdet", "mmseg"])
def test_both_libraries_find_it(scope):
    registry = __import__(f"{scope}.registry", fromlist=["MODELS"]).MODELS
    backbone = registry.build({"type": "ViTBackbone", "weights": CONV})
    assert isinstance(backbone, ViTBackbone)
    for name in ("SimpleFPN", "LN2d"):
        assert registry.get(name) is MODELS.get(name)


@pytest.mark.parametrize(
    ("weights", "output_stride", "size"),
    [
        (CONV, 16, (64, 96)),
        (CONV, 16, (70, 41)),
        (CONV, 8, (70, 41)),
        (LINEAR, 16, (70, 41)),
        (LINEAR, 8, (64, 41)),
        ("random:vit_small_patch14_dinov2", 16, (40, 41)),
    ],
)
def test_maps_have_the_promised_sizes(weights, output_stride, size):
    strides = (output_stride, 4, 32)
    backbone = ViTBackbone(weights, output_stride=output_stride, strides=strides).eval()
    with torch.no_grad():
        maps = backbone(images(*size))
    grid = [-(-side // output_stride) for side in size]
    expected = [grid, [s * output_stride // 4 for s in grid], [-(-s * output_stride // 32) for s in grid]]
    assert [list(m.shape[2:]) for m in maps] == expected
    assert all(m.shape[:2] == (2, backbone.embed_dim) for m in maps)


@pytest.mark.parametrize("weights", [CONV, LINEAR])
def test_with_the_class_token_the_map_is_the_backbones_own(weights):
    vit = load_backbone(weights)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (vit.preprocessing.mean, vit.preprocessing.std))
    batch = images(64, 80)
    with torch.no_grad():
        (ours,) = ViTBackbone(weights, class_token=True).eval()(batch)
        torch.testing.assert_close(ours, vit((batch - mean) / std).patches)
        (without,) = ViTBackbone(weights).eval()(batch)
    assert not torch.allclose(ours, without, atol=1e-4)


def test_normalisation_is_the_sources_own():
    backbone = ViTBackbone("random:vit_tiny_patch16_224")
    assert backbone.mean.flatten().tolist() == [0.5, 0.5, 0.5] and backbone.normalises
    assert not ViTBackbone(CONV).normalises
    assert "mean" not in backbone.state_dict()


@pytest.mark.parametrize("weights", [CONV, LINEAR])
@pytest.mark.parametrize("output_stride", [16, 8])
def test_tokens_lie_where_their_cells_are(weights, output_stride):
    """The pixels a patch embedding reads for a token are centred on the token's cell."""
    backbone = ViTBackbone(weights, output_stride=output_stride).eval()
    for module in backbone.vit.trunk.patch_embed.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.constant_(module.weight, 0.01)
    batch = torch.rand(1, 3, 96, 96, requires_grad=True)
    grid = 96 // output_stride
    embedded = backbone.vit.trunk.patch_embed(batch).reshape(grid, grid, -1)
    row, column = grid // 2, grid // 3
    embedded[row, column].square().sum().backward()
    weight = batch.grad.abs().sum((0, 1))
    weight = weight / weight.sum()
    position = torch.arange(96.0)
    centre = [(weight.sum(1) * position).sum().item(), (weight.sum(0) * position).sum().item()]
    expected = [output_stride * (cell + 0.5) - 0.5 for cell in (row, column)]
    # a 4x4 convolution with stride 4 and padding 1 reads one pixel up and left of its cell
    assert centre == pytest.approx(expected, abs=1.05)


def test_mmengine_does_not_draw_new_weights():
    backbone = ViTBackbone(CONV, seed=3)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    Sequential(backbone).init_weights()
    for name, value in backbone.state_dict().items():
        assert torch.equal(value, before[name]), name
    name = "vit.trunk.blocks.0.attn.qkv.weight"
    assert not torch.equal(ViTBackbone(CONV, seed=4).state_dict()[name], before[name])


def trained_parts(backbone):
    backbone.zero_grad()
    backbone(images(32, 32))[0].square().sum().backward()
    return {name for name, p in backbone.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}


def test_frozen_stages_stop_training_where_they_say():
    everything = trained_parts(ViTBackbone(CONV))
    assert everything == {name for name, _ in ViTBackbone(CONV).named_parameters()}
    for stages in (0, 1, 2):
        backbone = ViTBackbone(CONV, frozen_stages=stages)
        expected = {name for name in everything if backbone.vit.layer_of(name) > stages}
        assert trained_parts(backbone) == expected
    with pytest.raises(ValueError, match="frozen_stages"):
        ViTBackbone(CONV, frozen_stages=3)


def test_a_wholly_frozen_backbone_stays_in_evaluation_mode_and_needs_no_graph():
    backbone = ViTBackbone(LINEAR, frozen_stages="all", drop_path_rate=0.5).train()
    assert not any(module.training for module in backbone.vit.modules())
    first, second = backbone(images(32, 32))[0], backbone(images(32, 32))[0]
    assert torch.equal(first, second) and not first.requires_grad


def test_a_frozen_random_stem_still_learns_its_statistics():
    backbone = ViTBackbone(CONV, frozen_stages="all").train()
    norms = [backbone.vit.trunk.patch_embed.norm1, backbone.vit.trunk.patch_embed.norm2]
    assert [module for module in backbone.vit.modules() if module.training] == norms
    before = norms[0].running_mean.clone()
    backbone(images(32, 32))
    assert not torch.equal(norms[0].running_mean, before)
    assert not any(module.training for module in backbone.eval().modules())


@pytest.mark.parametrize("pretrained", [True, False])
@pytest.mark.parametrize("norm_eval", [True, False])
def test_batch_norm_keeps_the_statistics_that_pretraining_gave_it(monkeypatch, norm_eval, pretrained):
    def load(name, seed=0):
        vit = load_backbone(name, seed=seed)
        if pretrained:
            for norm in (vit.trunk.patch_embed.norm1, vit.trunk.patch_embed.norm2):
                norm.running_mean.fill_(0.1)
        return vit

    monkeypatch.setattr("backbones.openmmlab.load_backbone", load)
    backbone = ViTBackbone(CONV, norm_eval=norm_eval).train()
    before = backbone.vit.trunk.patch_embed.norm1.running_mean.clone()
    backbone(images(32, 32))
    same = torch.equal(backbone.vit.trunk.patch_embed.norm1.running_mean, before)
    assert same == (norm_eval and pretrained)
    assert backbone.vit.trunk.blocks[0].training


def test_drop_path_rises_linearly_and_only_acts_in_training():
    vit = load_backbone("random:vit_mini_conv16")
    set_drop_path(vit, 0.5)
    rates = [getattr(block.drop_path1, "drop_prob", 0.0) for block in vit.trunk.blocks]
    assert rates == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert isinstance(vit.trunk.blocks[-1].drop_path2, DropPath)
    backbone = ViTBackbone(CONV, drop_path_rate=0.5)
    torch.manual_seed(0)
    outputs = [backbone(images(32, 32))[0] for _ in range(8)]
    assert not all(torch.equal(outputs[0], other) for other in outputs)
    backbone.eval()
    with_drop_path = backbone(images(32, 32))[0]
    set_drop_path(backbone.vit, 0.0)
    assert torch.equal(backbone(images(32, 32))[0], with_drop_path)
    with pytest.raises(ValueError, match="drop_path_rate"):
        set_drop_path(vit, 1.0)


def test_activation_checkpointing_changes_nothing_but_memory():
    gradients = []
    for with_cp in (False, True):
        backbone = ViTBackbone(CONV, with_cp=with_cp)
        backbone(images(48, 32))[0].square().sum().backward()
        gradients.append([parameter.grad for parameter in backbone.parameters()])
    assert backbone.vit.trunk.grad_checkpointing
    for plain, checkpointed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, checkpointed)


def test_strides_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="stride 24"):
        ViTBackbone(CONV, strides=(24,))
    with pytest.raises(ValueError, match="output_stride"):
        ViTBackbone(CONV, output_stride=0)
