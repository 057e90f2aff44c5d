"""A recipe's optimizer and schedule, as MMEngine's Runner takes them."""

from __future__ import annotations

from typing import Any

import backbones.precision
from backbones.layer_decay import LayerDecayOptimConstructor
from pretraining.model import ImageTextModel
from pretraining.recipe import Recipe


def optim_wrapper(recipe: Recipe, model: ImageTextModel) -> dict[str, Any]:
    """AdamW without decay on positions, tokens and whatever has fewer than two dimensions, in two groups.

    MMEngine's own constructor makes a group of every parameter, each of them a kernel of its own and a turn
    of Python, in which a GPU waits; and its rule for flat parameters asks for one dimension and misses
    scalars: a temperature would rise by decay alone.
    """
    settings = recipe.optimizer
    return {
        "type": backbones.precision.Bf16OptimWrapper,
        "precision": recipe.precision,
        "width": model.vit.embed_dim,
        "optimizer": {
            "type": "AdamW",
            "lr": settings.lr,
            "betas": settings.betas,
            "weight_decay": settings.weight_decay,
            "fused": True,
        },
        "clip_grad": {"max_norm": settings.clip_grad} if settings.clip_grad else None,
        "constructor": LayerDecayOptimConstructor,
        "paramwise_cfg": {"undecayed": ["pos_embed", "cls_token", "positional_embedding"]},
    }


def schedule(recipe: Recipe) -> list[dict[str, Any]]:
    """Linear warm-up from 1e-6, then cosine to the smallest learning rate, both per step."""
    settings = recipe.optimizer
    warmup = min(settings.warmup_samples // recipe.batch_size, recipe.iterations // 2)
    cosine = {
        "type": "CosineAnnealingLR",
        "by_epoch": False,
        "begin": warmup,
        "end": recipe.iterations,
        "T_max": recipe.iterations - warmup,
        "eta_min": settings.lr * settings.min_lr_ratio,
    }
    if warmup == 0:
        return [cosine]
    start = min(1e-6 / settings.lr, 1.0)
    return [{"type": "LinearLR", "by_epoch": False, "start_factor": start, "begin": 0, "end": warmup}, cosine]
