"""The next batch on its way to the GPU while this one is trained on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import torch

from pretraining.objectives.base import ImageTextBatch


def batches_on(
    pieces: Iterator[ImageTextBatch], count: int, device: torch.device
) -> Iterator[ImageTextBatch]:
    """Batches put together from their pieces, on a GPU one batch ahead of whoever asks for them.

    There the pieces are copied and joined on a stream of their own, beside the training's kernels: pieces in
    pinned memory need no further copy on the host. Elsewhere batches stay where their pieces are.

    Args:
        pieces: of one batch after the other.
        count: pieces of a batch.
        device: where the batches are wanted; they are to be used on its current stream.
    """
    groups = iter(lambda: list(islice(pieces, count)), [])
    if device.type != "cuda":
        yield from map(ImageTextBatch.joined, groups)
        return
    copying = torch.cuda.Stream(device)

    def copied() -> ImageTextBatch | None:
        if (group := next(groups, None)) is None:
            return None
        with torch.cuda.stream(copying):
            return ImageTextBatch.joined([piece.to(device) for piece in group])

    ahead = copied()
    while ahead is not None:
        training = torch.cuda.current_stream(device)
        # In this order: once the next copy is begun, waiting for the stream would be waiting for that, too.
        training.wait_stream(copying)
        # The memory belongs to the copying stream, which must not take it back before training is done.
        ahead.record_stream(training)
        batch, ahead = ahead, copied()
        yield batch
