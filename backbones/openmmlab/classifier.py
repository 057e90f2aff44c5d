"""`ImageClassifier`: a backbone and a linear classifier, trained whole, in part, or behind a pooling."""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from timm.data import Mixup
from timm.layers import AttentionPoolLatent
from timm.loss import AsymmetricLossMultiLabel, SoftTargetCrossEntropy
from torch import Tensor, nn

from backbones.vit import HEAD_STD
from common.errors import UserError

HEAD = "head"
"""Name of the class layer in the model."""

ADAPTED = r"blocks\.\d+\.attn\.(qkv|proj)"
"""The layers that LoRA adapts: those of attention (arXiv 2106.09685)."""


@MODELS.register_module()
class ImageClassifier(BaseModel):
    """A backbone with a linear classifier on its class token, or on what an attention pools of all tokens.

    Args:
        backbone: of a `ViTBackbone`; ``class_head=True`` and ``class_token=True`` are filled in.
        num_classes: outputs of the class layer.
        loss: ``cross_entropy`` (one class an image); ``bce`` (any number of classes: summed over classes,
            mean over images) or ``asymmetric`` (arXiv 2009.14119, timm's).
        label_smoothing: of the cross-entropy.
        mixup: arguments of `timm.data.Mixup`, for instance ``mixup_alpha`` and ``cutmix_alpha``; its batches
            are even. For the cross-entropy alone.
        lora: arguments of `peft.LoraConfig`, for instance ``r`` and ``lora_alpha``: low-rank updates of the
            attention are trained in place of the backbone's weights.
        attention_pool: heads of an attention pooling (timm's, with an MLP behind it) between tokens and
            class layer: an attentive probe, where the backbone is frozen. 0: none.
        dropout: in front of the class layer.

    Raises:
        UserError: settings that exclude each other.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        num_classes: int,
        loss: Literal["cross_entropy", "bce", "asymmetric"] = "cross_entropy",
        label_smoothing: float = 0.0,
        mixup: dict[str, Any] | None = None,
        lora: dict[str, Any] | None = None,
        attention_pool: int = 0,
        dropout: float = 0.0,
        data_preprocessor: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor)
        if loss not in {"cross_entropy", "bce", "asymmetric"}:
            raise UserError(f"model.loss={loss!r}: cross_entropy, bce or asymmetric")
        if mixup and loss != "cross_entropy":
            raise UserError(f"model.mixup is for loss='cross_entropy', not {loss!r}")
        self.backbone = MODELS.build({**backbone, "class_head": True, "class_token": True})
        if lora:
            _adapt(self.backbone, lora)
        width = self.backbone.embed_dim
        self.pool = AttentionPoolLatent(width, num_heads=attention_pool) if attention_pool else None
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, num_classes)
        nn.init.trunc_normal_(self.head.weight, std=HEAD_STD)
        nn.init.zeros_(self.head.bias)
        self.loss, self.label_smoothing = loss, label_smoothing
        self.asymmetric = AsymmetricLossMultiLabel()
        self.mixup = None
        if mixup:
            self.mixup = Mixup(**mixup, label_smoothing=label_smoothing, num_classes=num_classes)

    def init_weights(self) -> None:
        """Nothing: the weights were loaded or drawn on construction, and MMEngine must not draw new ones."""

    def logits(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] as RGB in [0, 1] -> [B, K]."""
        tokens = self.backbone.tokens(images)
        if self.pool is None:
            return self.head(self.dropout(tokens.class_token))
        every = torch.cat([tokens.class_token[:, None], tokens.patches.flatten(2).transpose(1, 2)], dim=1)
        return self.head(self.dropout(self.pool(every)))

    def forward(
        self, images: Tensor, labels: Tensor, index: Tensor, mode: str = "tensor"
    ) -> Tensor | dict[str, Tensor] | list[dict[str, Tensor]]:
        """MMEngine's entry.

        Args:
            images: [B, 3, H, W], RGB in [0, 1].
            labels: [B] int64, or [B, K] for images that may show several classes.
            index: [B] of the images in their split.
            mode: ``loss``, ``predict`` (index and logits of each image) or ``tensor`` (the logits).
        """
        if mode == "loss":
            if self.mixup is not None:
                images, labels = self.mixup(images, labels)
            return {"loss": self._loss(self.logits(images).float(), labels)}
        logits = self.logits(images)
        if mode == "tensor":
            return logits
        return [
            {"index": int(number), "logits": row} for number, row in zip(index, logits.float(), strict=True)
        ]

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        if self.loss == "bce":
            return F.binary_cross_entropy_with_logits(logits, labels.float(), reduction="sum") / len(logits)
        if self.loss == "asymmetric":
            # as one image: what timm's makes of a batch, a sum or a mean, depends on its version
            return self.asymmetric(logits.view(1, -1), labels.float().view(1, -1)) / len(logits)
        if self.mixup is not None:
            return SoftTargetCrossEntropy()(logits, labels)
        return F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)


def _adapt(backbone: nn.Module, lora: dict[str, Any]) -> None:
    """Put trainable low-rank updates into a backbone's attention; all else of it is trained no more."""
    from peft import LoraConfig, inject_adapter_in_model

    if backbone.frozen_stages != -1:
        raise UserError(
            "model.lora: leave model.backbone.frozen_stages out, its own weights are frozen anyway"
        )
    inject_adapter_in_model(LoraConfig(**{"target_modules": ADAPTED, **lora}), backbone.vit.trunk)
