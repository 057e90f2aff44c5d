"""What the formats of other libraries have in common."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from backbones.layout import Layout
    from backbones.vit import ViT


def refuse(name: str, cannot: str, checks: Iterable[tuple[bool, str]]) -> None:
    """Refuse at the first check that is true.

    Args:
        cannot: what fails, for instance ``OpenCLIP's ViT cannot have``.
        checks: (whether it is so, what the backbone has).

    Raises:
        UserError: a check is true.
    """
    for wrong, what in checks:
        if wrong:
            raise UserError(f"{name} has {what}, which {cannot}: leave --to out")


def tensors_of(vit: ViT) -> dict[str, Tensor]:
    """The trunk's tensors, each with memory of its own."""
    return {key: value.detach().cpu().contiguous() for key, value in vit.trunk.state_dict().items()}


def positions_of_all(state: dict[str, Tensor], layout: Layout) -> Tensor:
    """Position embeddings [1, 1 + N, D], with one for the class token.

    A class token without position gets one of zeros, which computes the same.
    """
    import torch

    positions = state["pos_embed"]
    if not layout.class_token or layout.embed_class:
        return positions
    return torch.cat([positions.new_zeros(1, 1, layout.embed_dim), positions], dim=1)


def write_weights(folder: Path, name: str, state: dict[str, Tensor]) -> None:
    from safetensors.torch import save_file

    contiguous = {key: value.contiguous().clone() for key, value in state.items()}
    save_file(contiguous, folder / name, metadata={"format": "pt"})


def write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
