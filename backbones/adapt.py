"""What a task changes on a loaded ViT before it uses it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch
from timm.layers import DropPath
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from backbones.stem import ConvStem
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


def set_drop_path(vit: ViT, rate: float) -> None:
    """Set stochastic depth (arXiv 1603.09382) in place: 0 at the first block, rising to `rate` at the last.

    Raises:
        ValueError: the rate is not in [0, 1).
    """
    if not 0.0 <= rate < 1.0:
        raise ValueError(f"drop_path_rate is a probability below 1, not {rate}")
    for block, share in zip(vit.trunk.blocks, torch.linspace(0, rate, vit.depth).tolist(), strict=True):
        block.drop_path1 = DropPath(share) if share else nn.Identity()
        block.drop_path2 = DropPath(share) if share else nn.Identity()


def set_output_stride(vit: ViT, stride: int) -> None:
    """Let the ViT make a token of every `stride` pixels, in place.

    At half the patch size the tokens lie twice as dense: CoreNet's convolutional stem gets stride 2 in its
    first convolution (arXiv 2404.15653, released code), a linear patch embedding reads overlapping patches.
    At any other stride that is not the patch size images are resized first (`ViT.resizes_images`).

    Args:
        vit: a ViT as it was loaded.
        stride: pixels per token along each side.

    Raises:
        ValueError: the stride is not a positive number.
    """
    if stride < 1:
        raise ValueError(f"output_stride is a number of pixels, not {stride}")
    patch, embedding = vit.patch_size, vit.trunk.patch_embed
    halved = patch == 2 * stride
    if halved and isinstance(embedding, ConvStem):
        # kernel 4, padding 1: output j is centred on the pixels 2j and 2j + 1, so the grid stays in place
        embedding.conv1.stride = (2, 2)
    elif halved and patch % 4 == 0 and isinstance(getattr(embedding, "proj", None), nn.Conv2d):
        embedding.proj.stride = (stride, stride)
        embedding.proj.padding = (stride // 2, stride // 2)
        embedding.img_size = None  # timm would refuse images that are no multiple of the patch
    else:
        vit.resizes_images = stride != patch
    vit.output_stride = stride


def drop_class_head(vit: ViT) -> None:
    """Remove, in place, what only the class token's representation needs: classifier and attention pooling.

    `ViT.feature_maps` is what is left to use. Parameters that get no gradient would be in the way of training
    on several devices.
    """
    vit.synset_classifier = None
    vit.trunk.attn_pool = None


def drop_class_token(vit: ViT) -> None:
    """Remove the class token from the sequence, in place, and its own position where it has one."""
    trunk = vit.trunk
    if trunk.cls_token is None:
        return
    if trunk.pos_embed is not None and not trunk.no_embed_class:
        trunk.pos_embed = nn.Parameter(trunk.pos_embed.detach()[:, 1:].clone())
    trunk.cls_token = None
    trunk.has_class_token = False
    trunk.num_prefix_tokens -= 1


def freeze(vit: ViT, stages: int | Literal["all"]) -> list[nn.Module]:
    """Stop training the first stages, in place.

    Args:
        vit: the ViT.
        stages: -1: none; n: patch and position embeddings and the first n blocks; ``"all"``: everything.

    Returns:
        The modules that are to stay in evaluation mode.

    Raises:
        ValueError: there is no such number of blocks.
    """
    if stages == "all":
        vit.requires_grad_(False)
        return [vit]
    if not isinstance(stages, int) or not -1 <= stages <= vit.depth:
        raise ValueError(
            f"frozen_stages is 'all', -1 or 0 to {vit.depth} (the number of blocks), not {stages!r}"
        )
    if stages == -1:
        return []
    for name, parameter in vit.named_parameters():
        if vit.layer_of(name) <= stages:
            parameter.requires_grad_(False)
    trunk = vit.trunk
    return [trunk.patch_embed, trunk.pos_drop, trunk.norm_pre, *trunk.blocks[:stages]]
