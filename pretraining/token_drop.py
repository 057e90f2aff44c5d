"""Leaving out tokens of training images, so that a step costs less (FLIP, arXiv 2212.00794)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from backbones.vit import ViT
from common.machine import world_size
from common.training import group


class TokenDropping(nn.Module):
    """Keeps a random part of the patch tokens of every training image; in evaluation all.

    It takes the place of the trunk's `patch_drop`, behind the position embeddings and before the blocks.
    Which tokens are kept depends on seed, step and place in the global batch, not on how many processes share
    it.

    Args:
        rate: share of the patch tokens that is left out, in [0, 1).
        prefix: tokens before the patches, which are always kept.
        seed: of the recipe.

    Attributes:
        step: of the training; `TokenDroppingHook` counts it.
        active: whether tokens are left out at all.
    """

    def __init__(self, rate: float, prefix: int, seed: int) -> None:
        super().__init__()
        self.rate, self.prefix, self.seed = rate, prefix, seed
        self.step = 0
        self.active = True

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, prefix + N, D] -> [B, prefix + max(1, round((1 - rate) N)), D]."""
        if not (self.training and self.active):
            return tokens
        batch, count, width = tokens.shape
        count -= self.prefix
        # torch's generator looks at 32 bits of its seed
        (mixed,) = np.random.SeedSequence([self.seed, self.step]).generate_state(1)
        generator = torch.Generator().manual_seed(int(mixed))
        drawn = torch.rand(batch * world_size(), count, generator=generator)
        drawn = drawn[group.rank() * batch : (group.rank() + 1) * batch]
        kept = drawn.argsort(1)[:, : max(1, round((1 - self.rate) * count))].to(tokens.device)
        patches = tokens[:, self.prefix :].gather(1, kept[..., None].expand(-1, -1, width))
        return torch.cat([tokens[:, : self.prefix], patches], 1)


class TokenDroppingHook(Hook):
    """Tells the trunk's `TokenDropping` the step, and ends it for the last steps.

    Args:
        dropping: the module of the model that is trained.
        steps: for how many steps tokens are left out.
    """

    def __init__(self, dropping: TokenDropping, steps: int) -> None:
        self.dropping, self.steps = dropping, steps

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: object = None) -> None:
        self.dropping.step = runner.iter
        self.dropping.active = runner.iter < self.steps


@contextmanager
def all_tokens(vit: ViT) -> Iterator[None]:
    """Let no token of training images be left out for a while."""
    dropping = vit.trunk.patch_drop
    if not isinstance(dropping, TokenDropping):
        yield
        return
    before, dropping.active = dropping.active, False
    try:
        yield
    finally:
        dropping.active = before


def drop_tokens(vit: ViT, rate: float, seed: int) -> TokenDropping:
    """Let a ViT leave out tokens in training; it is changed in place."""
    vit.trunk.patch_drop = TokenDropping(rate, vit.trunk.num_prefix_tokens, seed)
    return vit.trunk.patch_drop
