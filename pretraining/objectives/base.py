"""What a pre-training objective is: a head on the ViT's tokens that returns its loss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from backbones.vit import SynsetClassifier, Tokens
from pretraining.data.readings import Reading
from pretraining.labels.vocabulary import Vocabulary


@dataclass
class ImageTextBatch:
    """A batch of image–text pairs.

    Attributes:
        images: [B, 3, H, W], uint8 as decoded.
        captions: B raw captions.
        text: [B, L] BPE tokens, for objectives that read text.
        label_rows, label_classes: [P] and [P]: the P positive (image, class) pairs. Labels travel as pairs,
            because a dense [B, V] target would be a thousand times larger than what it says.
        extras: tensors by name, for objectives that read something else; one row per image.
        skipped: unreadable samples left out since the last batch, by what was wrong.
        loader_cpu_seconds: CPU time it took in a process of its own; 0 where training loads for itself.
    """

    images: Tensor
    captions: list[str]
    text: Tensor | None = None
    label_rows: Tensor | None = None
    label_classes: Tensor | None = None
    extras: dict[str, Tensor] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    loader_cpu_seconds: float = 0.0

    @staticmethod
    def joined(pieces: list[ImageTextBatch]) -> ImageTextBatch:
        """The batch that pieces make together, in their order; one piece is a batch."""
        if len(pieces) == 1:
            return pieces[0]

        def cat(values: list[Tensor | None]) -> Tensor | None:
            return None if values[0] is None else torch.cat(values)

        rows, before = [], 0
        for piece in pieces:
            rows.append(None if piece.label_rows is None else piece.label_rows + before)
            before += len(piece.captions)
        skipped: Counter[str] = Counter()
        for piece in pieces:
            skipped.update(piece.skipped)
        return ImageTextBatch(
            images=torch.cat([piece.images for piece in pieces]),
            captions=[caption for piece in pieces for caption in piece.captions],
            text=cat([piece.text for piece in pieces]),
            label_rows=cat(rows),
            label_classes=cat([piece.label_classes for piece in pieces]),
            extras={name: torch.cat([piece.extras[name] for piece in pieces]) for name in pieces[0].extras},
            skipped=dict(skipped),
            loader_cpu_seconds=sum(piece.loader_cpu_seconds for piece in pieces),
        )

    def to(self, device: torch.device | str) -> ImageTextBatch:
        """The same batch with its tensors on another device."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> ImageTextBatch:
        """The same batch in memory that a GPU copies from while it computes."""
        return self._map(Tensor.pin_memory)

    def record_stream(self, stream: torch.cuda.Stream) -> None:
        """Keep the tensors' memory on the GPU until `stream` has done what it is to do with them."""
        self._map(lambda tensor: tensor.record_stream(stream) or tensor)

    def _map(self, change: Callable[[Tensor], Tensor]) -> ImageTextBatch:
        changed = {name: change(value) for name, value in vars(self).items() if isinstance(value, Tensor)}
        extras = {name: change(value) for name, value in self.extras.items()}
        return replace(self, **changed, extras=extras)


class Objective(nn.Module):
    """Base of all objectives.

    The constructor's first argument is the width of the ViT's tokens. The others are the recipe's options,
    and what its reading found in the data.

    Class attributes:
        name: as it appears in tables.
        reads: what is read of the pairs, and how it is collated into batches.
    """

    name: ClassVar[str]
    reads: ClassVar[type[Reading]] = Reading

    def forward(self, tokens: Tokens, batch: ImageTextBatch) -> dict[str, Tensor]:
        """The loss of a batch.

        Args:
            tokens: of the batch's images.
            batch: the batch, on the same device.

        Returns:
            ``loss`` (a scalar to minimise) and further scalars worth logging, detached.
        """
        raise NotImplementedError

    @property
    def text_tower(self) -> nn.Module | None:
        """The part of the head that reads text; None where there is none."""
        return None

    def synset_classifier(self, vocabulary: Vocabulary | None) -> SynsetClassifier | None:
        """The classifier to save with the backbone, for objectives that learn one of this vocabulary."""
        return None

    def save_text(self, folder: Path) -> None:
        """Write the text tower beside the backbone (`backbones.text`), for objectives that train one."""

    def cost_inputs(self) -> dict[str, Any]:
        """Facts of the head that belong beside the training cost (widths, vocabulary size)."""
        return {}
