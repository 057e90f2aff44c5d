"""What a training step costs in arithmetic."""

from __future__ import annotations

import copy

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from pretraining.data.readings import Reading
from pretraining.model import ImageTextModel
from pretraining.objectives.base import ImageTextBatch


def flops_per_image(
    model: ImageTextModel, reading: Reading, image_size: int, batch_size: int
) -> dict[str, float]:
    """Floating-point operations of one training step per image, counted by PyTorch on a copy without memory.

    A multiply-add counts as two. ``backbone`` and ``head`` are the forward passes of the ViT and of the
    objective (text tower, classifier, similarities); ``total`` is forward and backward of everything.

    Args:
        model: on any device; it is not changed.
        reading: what its objective reads.
        image_size: pixels per side.
        batch_size: images of the step that is counted.
    """
    model = copy.deepcopy(model).to("meta")  # shapes alone: nothing is computed
    images = torch.zeros(batch_size, 3, image_size, image_size, dtype=torch.uint8)
    fields = reading.collate([reading.blank] * batch_size)
    batch = ImageTextBatch(images, [""] * batch_size, **fields).to("meta")
    # fused attention kernels are not counted on every device; the plain one always is
    with sdpa_kernel(SDPBackend.MATH):
        with FlopCounterMode(display=False) as forward, torch.no_grad():
            tokens = model.vit(batch.images.float())
        backbone = forward.get_total_flops()
        with FlopCounterMode(display=False) as forward, torch.no_grad():
            model.objective(tokens, batch)
        head = forward.get_total_flops()
        with FlopCounterMode(display=False) as step:
            model(batch)["loss"].backward()
    counts = {"backbone": backbone, "head": head, "total": step.get_total_flops()}
    return {name: value / batch_size for name, value in counts.items()}
