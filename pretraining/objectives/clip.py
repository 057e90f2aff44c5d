"""CLIP: contrastive image–text pre-training with OpenCLIP's text tower and loss."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.dist import get_rank, get_world_size
from open_clip.loss import ClipLoss
from torch import Tensor, nn

from backbones.text import MAX_SCALE, save_text, text_transformer
from backbones.vit import Tokens
from pretraining.data.readings import TextTokens
from pretraining.objectives.base import ImageTextBatch, Objective

MAX_LOGIT_SCALE = math.log(MAX_SCALE)


class CLIP(Objective):
    """Symmetric cross-entropy over image–caption similarities (the baseline of arXiv 2404.15653).

    The defaults are the paper's text tower: 12 layers, width 512, 8 heads, causal, 77 tokens, projection to
    512; a bias-free projection of the image's class token; a learned temperature, 0.07 at the start and
    capped at 0.01. Features are gathered over all processes with gradients.

    Args:
        width: width D of the image's class token.
        embed_dim: width of the space images and captions meet in.
        text_width, text_layers, text_heads, context_length: shape of the text tower.
        init_temperature: the temperature training starts from.
    """

    name = "clip"
    reads = TextTokens

    def __init__(
        self,
        width: int,
        embed_dim: int = 512,
        text_width: int = 512,
        text_layers: int = 12,
        text_heads: int = 8,
        context_length: int = 77,
        init_temperature: float = 0.07,
    ) -> None:
        super().__init__()
        self.text_shape = {
            "context_length": context_length,
            "width": text_width,
            "heads": text_heads,
            "layers": text_layers,
            "embed_dim": embed_dim,
        }
        self.text = text_transformer(**self.text_shape)
        self.image_projection = nn.Parameter(torch.randn(width, embed_dim) * width**-0.5)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / init_temperature)))
        self.similarity_loss = ClipLoss(
            local_loss=True, gather_with_grad=True, rank=get_rank(), world_size=get_world_size()
        )
        self.local_loss = ClipLoss()  # of validation, whose batches are dealt out whole

    def forward(self, tokens: Tokens, batch: ImageTextBatch) -> dict[str, Tensor]:
        image = F.normalize((tokens.class_token @ self.image_projection).float(), dim=-1)
        text = F.normalize(self.text(batch.text).float(), dim=-1)
        scale = self.logit_scale.clamp(max=MAX_LOGIT_SCALE).exp()
        loss = (self.similarity_loss if self.training else self.local_loss)(image, text, scale)
        return {"loss": loss, "temperature": 1 / scale.detach()}

    @property
    def text_tower(self) -> nn.Module:
        return self.text

    def save_text(self, folder: Path) -> None:
        save_text(
            folder,
            self.text_shape,
            {
                **{f"text.{name}": value for name, value in self.text.state_dict().items()},
                "image_projection": self.image_projection,
                "logit_scale": self.logit_scale,
            },
        )

    def cost_inputs(self) -> dict[str, Any]:
        return {"context_length": self.text.context_length, "text_width": self.text.width}
