"""`ViTBackbone`: any backbone of the suite as MMDetection and MMSegmentation want one."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from timm.layers import DropPath
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from backbones import load_backbone
from backbones.adapt import norms_without_statistics
from backbones.stem import ConvStem
from backbones.vit import ViT, tune_for_cpu


@MODELS.register_module()
class ViTBackbone(nn.Module):
    """Any backbone of the suite as MMDetection and MMSegmentation want one.

    Images come as RGB in [0, 1] (a data preprocessor with mean 0, std 255 and ``bgr_to_rgb=True``) and are
    normalised here, the way the weights' source does it: whatever weights a config or a command line names,
    mean and standard deviation are right.

    Args:
        weights: what `backbones.load_backbone` understands.
        seed: seed of the weights of ``random:`` backbones.
        output_stride: pixels per token. 16 is what the released weights were trained at; at 8 the tokens lie
            twice as dense: CoreNet's convolutional stem gets stride 2 in its first convolution (arXiv
            2404.15653, released code), a linear patch embedding reads overlapping patches. Patches of
            another size (14 pixels) are read from an image resized so that a token still covers
            `output_stride` pixels.
        strides: pixels per cell of each map handed on; maps at other strides than `output_stride` are
            resampled without parameters. Default: one map at `output_stride`.
        class_token: keep the class token in the sequence. CatLIP's dense tasks drop it, so that is the
            default; a probe of frozen features keeps it.
        frozen_stages: -1: everything is trained; n: patch and position embeddings and the first n blocks are
            not; ``"all"``: nothing is, and the backbone stays in evaluation mode, but for statistics that are
            not there yet (`norm_eval`).
        norm_eval: leave the stem's BatchNorm at its pre-trained statistics, because the few images of a dense
            batch would spoil them (CatLIP's own recipes learn them on). Where there are none, as in a
            ``random:`` backbone, they are learnt in any case: a stem that normalises nothing would put the
            floor of every comparison too low.
        drop_path_rate: stochastic depth, rising linearly to this rate at the last block.
        with_cp: activation checkpointing: less memory, a second forward pass.
        cpu_attention: on a machine without GPU use the attention that is faster for small images there
            (`backbones.vit.tune_for_cpu`); its memory grows with the fourth power of the image's side.

    Shapes:
        [B, 3, H, W] -> tuple of [B, embed_dim, H/stride, W/stride], sizes rounded up.

    Raises:
        UserError: the weights cannot be loaded.
        ValueError: a stride, frozen_stages or rate that makes no sense.
    """

    def __init__(
        self,
        weights: str,
        seed: int = 0,
        output_stride: int = 16,
        strides: tuple[int, ...] | None = None,
        class_token: bool = False,
        frozen_stages: int | Literal["all"] = -1,
        norm_eval: bool = True,
        drop_path_rate: float = 0.0,
        with_cp: bool = False,
        cpu_attention: bool = False,
    ) -> None:
        super().__init__()
        self.vit = load_backbone(weights, seed=seed)
        self.vit.synset_classifier = None
        trunk = self.vit.trunk
        trunk.attn_pool = None
        if output_stride < 1:
            raise ValueError(f"output_stride is a number of pixels, not {output_stride}")
        self.output_stride = output_stride
        self.strides = tuple(strides or (output_stride,))
        self.learning_norms = norms_without_statistics(self.vit)
        norms = [module for module in self.vit.modules() if isinstance(module, _BatchNorm)]
        self.fixed_norms = [norm for norm in norms if norm_eval and norm not in self.learning_norms]
        for stride in self.strides:
            if stride % output_stride and output_stride % stride:
                raise ValueError(
                    f"stride {stride} is neither a divisor nor a multiple of output_stride={output_stride}"
                )
        self.image_scale = _set_output_stride(self.vit, output_stride)
        preprocessing = self.vit.preprocessing
        self.normalises = preprocessing.mean != (0.0, 0.0, 0.0) or preprocessing.std != (1.0, 1.0, 1.0)
        for name in ("mean", "std"):
            values = torch.tensor(getattr(preprocessing, name)).view(3, 1, 1)
            self.register_buffer(name, values, persistent=False)
        if not class_token:
            _drop_class_token(trunk)
        set_drop_path(self.vit, drop_path_rate)
        trunk.set_grad_checkpointing(with_cp)
        if cpu_attention and not torch.cuda.is_available():
            tune_for_cpu(self.vit)
        self.frozen = _freeze(self.vit, frozen_stages)
        self.frozen_stages = frozen_stages
        self.train()

    @property
    def embed_dim(self) -> int:
        return self.vit.embed_dim

    def init_weights(self) -> None:
        """Nothing: the weights were loaded on construction, and MMEngine must not draw new ones."""

    def train(self, mode: bool = True) -> ViTBackbone:
        super().train(mode)
        for module in (*self.fixed_norms, *self.frozen):
            module.eval()
        for norm in self.learning_norms:
            norm.train(mode)  # in a frozen backbone, too
        return self

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.frozen_stages != "all"):
            patches = self._patches(images)
        return tuple(self._resample(patches, stride) for stride in self.strides)

    def _patches(self, images: Tensor) -> Tensor:
        if self.normalises:
            images = (images - self.mean) / self.std
        stride = self.output_stride
        height, width = images.shape[-2:]
        bottom, right = -height % stride, -width % stride
        if bottom or right:
            images = F.pad(images, (0, right, 0, bottom))
        grid = ((height + bottom) // stride, (width + right) // stride)
        if self.image_scale != 1:
            size = [side * self.vit.patch_size for side in grid]
            images = F.interpolate(images, size, mode="bilinear", antialias=True)
        trunk = self.vit.trunk
        tokens = trunk.forward_features(images)[:, trunk.num_prefix_tokens :]
        return trunk.fc_norm(tokens).transpose(1, 2).unflatten(2, grid)

    def _resample(self, patches: Tensor, stride: int) -> Tensor:
        if stride == self.output_stride:
            # The heads' convolutions want the usual memory format; a view of the tokens would be copied by
            # each.
            return patches.contiguous()
        if stride > self.output_stride:
            return F.max_pool2d(patches, stride // self.output_stride, ceil_mode=True)
        return F.interpolate(
            patches, scale_factor=self.output_stride // stride, mode="bilinear", align_corners=False
        )


def set_drop_path(vit: ViT, rate: float) -> None:
    """Set stochastic depth (arXiv 1603.09382) of a loaded backbone: 0 at the first block, `rate` at the last.

    Raises:
        ValueError: the rate is not in [0, 1).
    """
    if not 0.0 <= rate < 1.0:
        raise ValueError(f"drop_path_rate is a probability below 1, not {rate}")
    for block, share in zip(vit.trunk.blocks, torch.linspace(0, rate, vit.depth).tolist(), strict=True):
        block.drop_path1 = DropPath(share) if share else nn.Identity()
        block.drop_path2 = DropPath(share) if share else nn.Identity()


def _set_output_stride(vit: ViT, stride: int) -> float:
    """Let the patch embedding make a token of every `stride` pixels, in place.

    Returns:
        The factor by which images are to be resized first.
    """
    patch, embedding = vit.patch_size, vit.trunk.patch_embed
    if patch == 2 * stride and isinstance(embedding, ConvStem):
        # kernel 4, padding 1: output j is centred on the pixels 2j and 2j + 1, so the grid stays in place
        embedding.conv1.stride = (2, 2)
        return 1.0
    if patch == 2 * stride and patch % 4 == 0 and isinstance(getattr(embedding, "proj", None), nn.Conv2d):
        embedding.proj.stride = (stride, stride)
        embedding.proj.padding = (stride // 2, stride // 2)
        embedding.img_size = None  # timm would refuse images that are no multiple of the patch
        return 1.0
    return patch / stride


def _drop_class_token(trunk: nn.Module) -> None:
    """Remove the class token, and its own position where it has one."""
    if trunk.cls_token is None:
        return
    if trunk.pos_embed is not None and not trunk.no_embed_class:
        trunk.pos_embed = nn.Parameter(trunk.pos_embed.detach()[:, 1:].clone())
    trunk.cls_token = None
    trunk.has_class_token = False
    trunk.num_prefix_tokens -= 1


def _freeze(vit: ViT, stages: int | str) -> list[nn.Module]:
    """Stop training the first stages; returns the modules that are to stay in evaluation mode."""
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
