"""What a task changes on a loaded ViT before it uses it."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from backbones.vit import ViT


def norms_without_statistics(vit: nn.Module) -> list[_BatchNorm]:
    """The BatchNorms that have never seen a batch: a new one has mean 0 and variance 1."""
    norms = [module for module in vit.modules() if isinstance(module, _BatchNorm)]
    return [norm for norm in norms if not (norm.running_mean != 0).any() and (norm.running_var == 1).all()]


@torch.no_grad()
def calibrate_norms(vit: ViT, batches: Iterable[Tensor]) -> None:
    """Let BatchNorms without statistics learn theirs, in place; nothing else changes.

    Random weights with a convolutional stem have none, and a stem that normalises nothing would put the floor
    of every comparison too low. The statistics are the mean over all batches.

    Args:
        vit: left in evaluation mode.
        batches: [B, 3, H, W] each, normalised as `ViT.preprocessing` says, on the ViT's device.
    """
    vit.eval()
    norms = norms_without_statistics(vit)
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.train()
        norm.momentum = None  # a cumulative mean
    for images in batches:
        vit(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
