"""The backbone contract: what every ViT answers, wherever its weights come from."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from backbones.layout import Layout
from backbones.preprocessing import Preprocessing
from backbones.resample import resample
from backbones.trunk import build_trunk
from common.errors import UserError

if TYPE_CHECKING:
    from backbones.checkpoints.keys import KeyReport


HEAD_STD = 0.02
"""Standard deviation of a new classifier's weights, cut at two absolute units: timm's heads of ViTs."""


class Tokens(NamedTuple):
    """What a ViT makes of images, after its final norm.

    Attributes:
        class_token: [B, D], the pooled representation its source classifies with.
        patches: [B, D, H/16, W/16] (where tokens lie 16 pixels apart).
    """

    class_token: Tensor
    patches: Tensor


class SynsetClassifier(NamedTuple):
    """The pre-trained classifier that Transfer Init copies rows from (arXiv 2404.15653, section 4.2).

    Attributes:
        weight: [V, D]; ``class_token @ weight.T + bias`` are the source's own logits.
        bias: [V].
        synsets: WordNet 3.0 noun offset of each of the V classes.
        vocabulary_file: the csv that the synsets were read from, where it was one.
    """

    weight: Tensor
    bias: Tensor
    synsets: tuple[int, ...]
    vocabulary_file: Path | None = None


class ViT(nn.Module):
    """A vision transformer of any source, any image size.

    Args:
        trunk: timm's VisionTransformer, made with ``dynamic_img_size=True``.
        preprocessing: how images are to be prepared.
        synset_classifier: the pre-training classifier over synsets, where there was one.
        key_report: what became of the keys of the file that the weights were read from, where it was one.

    Attributes:
        output_stride: pixels of the image per token along each side: the patch size, until
            `backbones.adapt.set_output_stride` changes it.
        resizes_images: images are resized first, so that a patch covers `output_stride` pixels of them.
    """

    def __init__(
        self,
        trunk: VisionTransformer,
        preprocessing: Preprocessing,
        synset_classifier: SynsetClassifier | None = None,
        key_report: KeyReport | None = None,
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.preprocessing = preprocessing
        self.synset_classifier = synset_classifier
        self.key_report = key_report
        self.output_stride = self.patch_size
        self.resizes_images = False

    @property
    def embed_dim(self) -> int:
        return self.trunk.embed_dim

    @property
    def depth(self) -> int:
        return len(self.trunk.blocks)

    @property
    def patch_size(self) -> int:
        return int(self.trunk.patch_embed.feat_ratio())

    @property
    def num_params(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    def forward(self, images: Tensor) -> Tokens:
        """Encode images.

        Args:
            images: [B, 3, H, W], prepared as `preprocessing` says. A size that is no multiple of
                `output_stride` is padded with zeros at the right and bottom.
        """
        features, grid = self._encode(images)
        return Tokens(self.trunk.forward_head(features, pre_logits=True), self._patches(features, grid))

    def feature_maps(self, images: Tensor, strides: tuple[int, ...] = (4, 8, 16, 32)) -> list[Tensor]:
        """Patch tokens at the strides a dense task wants; the class token's head is not computed.

        Args:
            images: [B, 3, H, W]; as in `forward`, H and W are first padded to whole tokens, and the maps
                cover the padded image.
            strides: pixels per cell of each map, in any ratio to `output_stride`.

        Returns:
            One map [B, D, H/stride, W/stride] per stride, sizes rounded up; see `backbones.resample`.

        Raises:
            ValueError: a stride is not a positive number.
        """
        if wrong := [stride for stride in strides if stride < 1]:
            raise ValueError(f"stride {wrong[0]} is no number of pixels")
        patches = self._patches(*self._encode(images))
        return [resample(patches, self.output_stride, stride) for stride in strides]

    def _encode(self, images: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """The trunk's tokens [B, prefix + h * w, D], and h and w."""
        height, width = images.shape[-2:]
        bottom, right = -height % self.output_stride, -width % self.output_stride
        if bottom or right:
            images = F.pad(images, (0, right, 0, bottom))
        grid = (height + bottom) // self.output_stride, (width + right) // self.output_stride
        if self.resizes_images:
            size = [side * self.patch_size for side in grid]
            images = F.interpolate(images, size, mode="bilinear", antialias=True)
        return self.trunk.forward_features(images), grid

    def _patches(self, features: Tensor, grid: tuple[int, int]) -> Tensor:
        patches = self.trunk.fc_norm(features[:, self.trunk.num_prefix_tokens :])
        count = patches.shape[1]
        return patches.transpose(1, 2).unflatten(2, grid if count == grid[0] * grid[1] else (1, count))

    def layer_of(self, parameter_name: str) -> int:
        """Depth of a parameter, for layer-wise learning-rate decay.

        Args:
            parameter_name: a name of `named_parameters()`, with or without a wrapper's prefix.

        Returns:
            0 for patch and position embeddings and class tokens, 1 … depth for the blocks, depth + 1 for
            what follows them.

        Raises:
            KeyError: no parameter of a ViT has such a name.
        """
        if block := re.search(r"(?:^|\.)blocks\.(\d+)\.", parameter_name):
            return int(block.group(1)) + 1
        parts = parameter_name.split(".")
        if any(part in {"cls_token", "reg_token", "pos_embed", "patch_embed", "norm_pre"} for part in parts):
            return 0
        if any(part in {"norm", "fc_norm", "attn_pool"} for part in parts):
            return self.depth + 1
        raise KeyError(f"{parameter_name} is no parameter of a ViT")


def build_vit(layout: Layout, drop_path_rate: float = 0.0) -> ViT:
    """An untrained ViT that is shown images as they are; see `backbones.trunk.build_trunk`."""
    size = layout.image_size if isinstance(layout.image_size, int) else max(layout.image_size)
    return ViT(build_trunk(layout, drop_path_rate), Preprocessing(size))


def tune(vit: ViT, device: str | torch.device) -> ViT:
    """Settings that change how fast a ViT trains on a device, not what it computes.

    Convolutions prefer channels last, on CPUs and GPUs. On CPUs PyTorch's fused attention is slower than its
    plain matrix products for the few dozen tokens of small images
    (`tests/performance/bench_cpu_attention.py` measures it); elsewhere it stays on, as timm has it.

    Args:
        vit: on any device; it is changed in place.
        device: where it will train.
    """
    if torch.device(device).type == "cpu":
        for block in vit.trunk.blocks:
            block.attn.fused_attn = False
    vit.trunk.patch_embed.to(memory_format=torch.channels_last)
    return vit


def compile_blocks(vit: ViT, backend: str = "inductor") -> ViT:
    """Let `torch.compile` make the kernels of the blocks, at the first step; names of weights stay.

    The blocks, not the whole ViT: they are where the time goes, and one compilation serves all of them. A
    copy of the ViT (a moving average, say) is not compiled.

    Args:
        vit: changed in place.
        backend: of `torch.compile`.

    Raises:
        UserError: the backend needs a compiler that this machine lacks.
    """
    compilers = [os.environ.get("CXX"), "g++", "clang++"]
    if backend == "inductor" and not any(shutil.which(name) for name in compilers if name):
        raise UserError("compile=True needs a C++ compiler: install g++ or clang++, or set compile=False")
    # With stochastic depth each block is compiled by itself, for its own rate: in training and validation,
    # and again for batches of another size. torch would give up after eight.
    config = torch._dynamo.config
    config.recompile_limit = max(config.recompile_limit, 4 * vit.depth)
    for block in vit.trunk.blocks:
        block.compile(backend=backend)
    return vit
