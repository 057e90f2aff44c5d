"""A ViT under an objective, as MMEngine's Runner trains it."""

from __future__ import annotations

import torch
from mmengine.model import BaseDataPreprocessor, BaseModel
from torch import Tensor

from backbones.vit import ViT
from pretraining.objectives.base import ImageTextBatch, Objective


class _ToDevice(BaseDataPreprocessor):
    def forward(self, data: ImageTextBatch, training: bool = False) -> dict[str, ImageTextBatch]:
        return {"batch": data.to(self.device)}


class ImageTextModel(BaseModel):
    """The backbone and the objective's head.

    Args:
        vit: the backbone to train.
        objective: turns its tokens into a loss.
    """

    def __init__(self, vit: ViT, objective: Objective) -> None:
        super().__init__(data_preprocessor=_ToDevice())
        self.vit = vit
        self.objective = objective
        self.register_buffer("mean", torch.tensor(vit.preprocessing.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(vit.preprocessing.std).view(3, 1, 1), persistent=False)

    def forward(
        self, batch: ImageTextBatch, mode: str = "loss"
    ) -> dict[str, Tensor] | list[dict[str, float]]:
        """The objective's losses of a batch (``loss``), or the same as plain numbers (``predict``)."""
        images = (batch.images.float() / 255 - self.mean) / self.std
        losses = self.objective(self.vit(images), batch)
        if mode == "loss":
            return losses
        return [{name: value.item() for name, value in losses.items()}]
