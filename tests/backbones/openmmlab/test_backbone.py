"""Our backbones as MMDetection and MMSegmentation use them."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.model import Sequential
from mmengine.registry import MODELS

from backbones import load_backbone
from backbones.openmmlab import ViTBackbone

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


@pytest.mark.parametrize("weights", [LINEAR, "random:vit_small_patch14_dinov2"])
def test_patches_of_another_size_are_read_from_a_resized_image(weights):
    """Against the steps by hand: normalise, pad to whole cells, resize, encode, resample."""
    vit = load_backbone(weights)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (vit.preprocessing.mean, vit.preprocessing.std))
    backbone = ViTBackbone(weights, output_stride=32, strides=(32, 8, 64), class_token=True).eval()
    batch = F.pad((images(60, 90) - mean) / std, (0, 6, 0, 4))
    patch = vit.patch_size
    with torch.no_grad():
        tokens = vit(F.interpolate(batch, (2 * patch, 3 * patch), mode="bilinear", antialias=True)).patches
        expected = [tokens, F.interpolate(tokens, scale_factor=4, mode="bilinear", align_corners=False)]
        expected.append(F.max_pool2d(tokens, 2, ceil_mode=True))
        for ours, theirs in zip(backbone(images(60, 90)), expected, strict=True):
            assert torch.equal(ours, theirs)


def test_nothing_is_computed_for_the_class_token(monkeypatch):
    backbone = ViTBackbone("random:vit_base_patch16_siglip_224").eval()  # pools by attention
    assert not any("attn_pool" in name for name, _ in backbone.named_parameters())
    monkeypatch.setattr(backbone.vit.trunk, "forward_head", lambda *_, **__: pytest.fail("it is computed"))
    with torch.no_grad():
        assert backbone(images(32, 32))[0].shape == (2, 768, 2, 2)


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

    monkeypatch.setattr("backbones.openmmlab.backbone.load_backbone", load)
    backbone = ViTBackbone(CONV, norm_eval=norm_eval).train()
    before = backbone.vit.trunk.patch_embed.norm1.running_mean.clone()
    backbone(images(32, 32))
    same = torch.equal(backbone.vit.trunk.patch_embed.norm1.running_mean, before)
    assert same == (norm_eval and pretrained)
    assert backbone.vit.trunk.blocks[0].training


def test_drop_path_acts_in_training_only():
    backbone = ViTBackbone(LINEAR, drop_path_rate=0.5)
    torch.manual_seed(0)
    outputs = [backbone(images(32, 32))[0] for _ in range(8)]
    assert not all(torch.equal(outputs[0], other) for other in outputs)
    backbone.eval()
    assert torch.equal(backbone(images(32, 32))[0], ViTBackbone(LINEAR).eval()(images(32, 32))[0])


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
