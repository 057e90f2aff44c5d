"""The image tower that OpenAI's CLIP, OpenCLIP and SuperClass share: its keys and what they map to."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbones.checkpoints.keys import Dropped, depth_of, square_grid
from backbones.checkpoints.recognise import advice
from common.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from backbones.layout import Layout

TEXT = Dropped("text tower")
PROJECTION = Dropped("projection into the space shared with the text")
EXACT = {
    "class_embedding": "cls_token",
    "positional_embedding": "pos_embed",
    "conv1.weight": "patch_embed.proj.weight",
}
NORMS = {"ln_pre": "norm_pre", "ln_post": "norm"}
_BLOCK = re.compile(r"transformer\.resblocks\.(\d+)\.(.+)")
INSIDE = {
    "ln_1.weight": "norm1.weight",
    "ln_1.bias": "norm1.bias",
    "ln_2.weight": "norm2.weight",
    "ln_2.bias": "norm2.bias",
    "attn.in_proj_weight": "attn.qkv.weight",
    "attn.in_proj_bias": "attn.qkv.bias",
    "attn.out_proj.weight": "attn.proj.weight",
    "attn.out_proj.bias": "attn.proj.bias",
    "mlp.c_fc.weight": "mlp.fc1.weight",
    "mlp.c_fc.bias": "mlp.fc1.bias",
    "mlp.c_proj.weight": "mlp.fc2.weight",
    "mlp.c_proj.bias": "mlp.fc2.bias",
    "ls_1.gamma": "ls1.gamma",
    "ls_2.gamma": "ls2.gamma",
}


def rule(prefix: str, norm: str = "norm") -> Callable[[str], str | Dropped | None]:
    """The renaming rule for a tower whose keys begin with `prefix` (``visual.`` or nothing)."""

    def rename(key: str) -> str | Dropped | None:
        if prefix and not key.startswith(prefix):
            head = key.startswith(("text_decoder.", "cap_fq", "num_samples"))
            return Dropped("classifier over the text's tokens") if head else TEXT
        name = key[len(prefix) :]
        if name == "proj":
            return PROJECTION
        if name in EXACT:
            return EXACT[name]
        stem, _, part = name.rpartition(".")
        if stem in NORMS:
            return f"{norm if stem == 'ln_post' else NORMS[stem]}.{part}"
        match = _BLOCK.fullmatch(name)
        if match and match.group(2) in INSIDE:
            return f"blocks.{match.group(1)}.{INSIDE[match.group(2)]}"
        return None

    return rename


def prefix_of(state: dict[str, Tensor], path: Path, source: str) -> str:
    """``visual.``, or nothing when the tower was saved alone.

    Raises:
        UserError: there is no such tower in the file.
    """
    for prefix in ("visual.", ""):
        if f"{prefix}class_embedding" in state and f"{prefix}conv1.weight" in state:
            return prefix
    if any(key.startswith("visual.layer1.") for key in state):
        raise UserError(f"{path} holds CLIP's ResNet, not a ViT: name a ViT's weights")
    raise UserError(advice(state, source, path))


def layout_from(
    tensors: dict[str, Tensor], path: Path, num_heads: int, activation: str, **changes: Any
) -> Layout:
    """The layout that the tensors' shapes say, with what shapes cannot say given.

    Raises:
        UserError: tensors that decide the shape are missing.
    """
    from backbones.layout import Layout, mlp_ratio

    for needed in ("pos_embed", "patch_embed.proj.weight", "blocks.0.mlp.fc1.weight", "cls_token"):
        if needed not in tensors:
            raise UserError(f"{path} lacks {needed} of the backbone: the file is incomplete")
    width = tensors["pos_embed"].shape[-1]
    tensors["cls_token"] = tensors["cls_token"].reshape(1, 1, width)
    tensors["pos_embed"] = tensors["pos_embed"].reshape(1, -1, width)
    patch = tensors["patch_embed.proj.weight"].shape[-1]
    values = {
        "embed_dim": width,
        "depth": depth_of(tensors, "blocks."),
        "num_heads": num_heads,
        "patch_size": patch,
        "stem": "linear",
        "image_size": patch * square_grid(tensors["pos_embed"].shape[1] - 1, path),
        "mlp_ratio": mlp_ratio(tensors["blocks.0.mlp.fc1.weight"].shape[0], width),
        "embed_class": True,
        "pre_norm": "norm_pre.weight" in tensors,
        "patch_bias": False,
        "layer_scale": "blocks.0.ls1.gamma" in tensors,
        "activation": activation,
        "norm_eps": 1e-5,
    }
    return Layout(**{**values, **changes})
