"""A recipe's optimizer and schedule, as MMEngine's Runner takes them."""

from __future__ import annotations

from typing import Any

import backbones.precision
from pretraining.model import ImageTextModel
from pretraining.recipe import Recipe


def optim_wrapper(recipe: Recipe, model: ImageTextModel) -> dict[str, Any]:
    """AdamW without decay on positions, tokens and whatever has fewer than two dimensions.

    MMEngine's own rule for flat parameters asks for one dimension and misses scalars: a temperature would
    rise by decay alone.
    """
    settings = recipe.optimizer
    plain = {name for name, parameter in model.named_parameters() if parameter.ndim < 2}
    undecayed = plain | {"pos_embed", "cls_token", "positional_embedding"}
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
        "paramwise_cfg": {
            "custom_keys": {name: {"decay_mult": 0.0} for name in sorted(undecayed)},
        },
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
