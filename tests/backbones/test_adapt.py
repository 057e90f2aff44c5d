"""Statistics of BatchNorm where there are none."""

import copy

import torch

from backbones import load_backbone
from backbones.adapt import calibrate_norms, norms_without_statistics


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
