"""What training costs in arithmetic."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from pretraining.data.readings import Reading
from pretraining.model import ImageTextModel
from pretraining.objectives.base import ImageTextBatch
from pretraining.recipe import Recipe
from pretraining.token_drop import all_tokens


def flops_of_run(
    recipe: Recipe, model: ImageTextModel, reading: Reading, batch_size: int
) -> Callable[[int], dict[str, float]]:
    """How many FLOPs per image the first so many samples of a run take on average.

    Args:
        recipe: of the run; its steps cost less while they leave tokens out.
        model: as `build_model` makes it.
        reading: what its objective reads.
        batch_size: images of the steps that are counted.
    """

    def count() -> dict[str, float]:
        return flops_per_image(model, reading, recipe.image_size, batch_size)

    steps = recipe.dropping_steps
    dropping = count() if steps else {}
    if steps == recipe.iterations:
        return lambda samples: dropping
    with all_tokens(model.vit):
        whole = count()

    def average(samples: int) -> dict[str, float]:
        share = min(1.0, steps * recipe.batch_size / samples)
        return {name: share * dropping.get(name, 0.0) + (1 - share) * whole[name] for name in whole}

    return average


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
