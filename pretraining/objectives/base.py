"""What a pre-training objective is: a head on the ViT's tokens that returns its loss."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from backbones.vit import SynsetClassifier, Tokens


@dataclass
class ImageTextBatch:
    """A batch of image–text pairs.

    Attributes:
        images: [B, 3, H, W], uint8 as decoded.
        captions: B raw captions.
        text: [B, L] BPE tokens, for objectives that read text.
        label_rows, label_classes: [P] and [P]: the P positive (image, class) pairs. Labels travel as pairs,
            because a dense [B, V] target would be a thousand times larger than what it says.
        skipped: unreadable samples left out since the last batch, by what was wrong.
        loader_cpu_seconds: CPU time it took in a process of its own; 0 where training loads for itself.
    """

    images: Tensor
    captions: list[str]
    text: Tensor | None = None
    label_rows: Tensor | None = None
    label_classes: Tensor | None = None
    skipped: dict[str, int] = field(default_factory=dict)
    loader_cpu_seconds: float = 0.0

    def to(self, device: torch.device | str) -> ImageTextBatch:
        """The same batch with its tensors on another device."""
        moved = {
            name: value.to(device, non_blocking=True)
            for name, value in vars(self).items()
            if isinstance(value, Tensor)
        }
        return ImageTextBatch(**{**vars(self), **moved})

    def pin_memory(self) -> ImageTextBatch:
        pinned = {name: value.pin_memory() for name, value in vars(self).items() if isinstance(value, Tensor)}
        return ImageTextBatch(**{**vars(self), **pinned})


class Objective(nn.Module):
    """Base of all objectives.

    Class attributes:
        name: as it appears in configs and tables.
        reads: what batches must hold: ``synsets`` (label pairs) or ``text`` (BPE tokens).
    """

    name: ClassVar[str]
    reads: ClassVar[str]

    def forward(self, tokens: Tokens, batch: ImageTextBatch) -> dict[str, Tensor]:
        """The loss of a batch.

        Args:
            tokens: of the batch's images.
            batch: the batch, on the same device.

        Returns:
            ``loss`` (a scalar to minimise) and further scalars worth logging, detached.
        """
        raise NotImplementedError

    def synset_classifier(self, synsets: tuple[int, ...]) -> SynsetClassifier | None:
        """The classifier to save with the backbone, for objectives that learn one."""
        return None

    def cost_inputs(self) -> dict[str, Any]:
        """Facts of the head that belong beside the training cost (widths, vocabulary size)."""
        return {}
