"""`ViTBackbone`: any backbone of the suite as MMDetection and MMSegmentation want one."""

from __future__ import annotations

from typing import Literal

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from backbones import adapt, load_backbone
from backbones.vit import Tokens, tune


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
            twice as dense; patches of another size (14 pixels) are read from an image resized so that a token
            still covers `output_stride` pixels (`backbones.adapt.set_output_stride`).
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
        class_head: keep what only the class token's representation needs, for `tokens`.
        cpu_attention: on a machine without GPU use the attention that is faster for small images there
            (`backbones.vit.tune`); its memory grows with the fourth power of the image's side.

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
        class_head: bool = False,
    ) -> None:
        super().__init__()
        self.vit = load_backbone(weights, seed=seed)
        if class_head:
            self.vit.synset_classifier = None
        else:
            adapt.drop_class_head(self.vit)
        adapt.set_output_stride(self.vit, output_stride)
        self.strides = tuple(strides or (output_stride,))
        for stride in self.strides:
            if stride % output_stride and output_stride % stride:
                raise ValueError(
                    f"stride {stride} is neither a divisor nor a multiple of output_stride={output_stride}"
                )
        self.learning_norms = adapt.norms_without_statistics(self.vit)
        norms = [module for module in self.vit.modules() if isinstance(module, _BatchNorm)]
        self.fixed_norms = [norm for norm in norms if norm_eval and norm not in self.learning_norms]
        preprocessing = self.vit.preprocessing
        self.normalises = preprocessing.mean != (0.0, 0.0, 0.0) or preprocessing.std != (1.0, 1.0, 1.0)
        for name in ("mean", "std"):
            values = torch.tensor(getattr(preprocessing, name)).view(3, 1, 1)
            self.register_buffer(name, values, persistent=False)
        if not class_token:
            adapt.drop_class_token(self.vit)
        adapt.set_drop_path(self.vit, drop_path_rate)
        self.vit.trunk.set_grad_checkpointing(with_cp)
        if cpu_attention and not torch.cuda.is_available():
            tune(self.vit, "cpu")
        self.frozen = adapt.freeze(self.vit, frozen_stages)
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
        with self._gradients():
            return tuple(self.vit.feature_maps(self._normalised(images), self.strides))

    def tokens(self, images: Tensor) -> Tokens:
        """What a classifier reads; for a backbone with ``class_head=True`` and ``class_token=True``."""
        with self._gradients():
            return self.vit(self._normalised(images))

    def _normalised(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std if self.normalises else images

    def _gradients(self) -> torch.set_grad_enabled:
        return torch.set_grad_enabled(torch.is_grad_enabled() and self.frozen_stages != "all")
