"""An image tower of OpenCLIP: open_clip_config.json and open_clip_model.safetensors.

The file holds the image tower alone, under the names of ``model.visual``. There is no text tower and no
learned projection: `proj` is the identity and `embed_dim` the width, so that `encode_image` returns the class
token. The text tower that the configuration describes is OpenCLIP's usual one, to be trained or ignored.

    model = open_clip.create_model(
        "local-dir:FOLDER", load_weights=False, pretrained_image_path="FOLDER/open_clip_model.safetensors")

A bias of the patch projection, which OpenCLIP's ViT lacks, is added to the patches' positions: that computes
the same, at any size, because resizing keeps a constant.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from backbones.checkpoints import clip_keys
from backbones.checkpoints.openclip import CONFIG
from backbones.convert.parts import positions_of_all, refuse, tensors_of, write_json, write_weights

if TYPE_CHECKING:
    from torch import Tensor

    from backbones.layout import Layout
    from backbones.vit import ViT

SOURCE = "openclip"
WEIGHTS = "open_clip_model.safetensors"
_TEXT = {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12}
_INSIDE = {ours: theirs for theirs, ours in clip_keys.INSIDE.items()}
_STEMS = {"norm_pre": "ln_pre", "norm": "ln_post", "fc_norm": "ln_post"}


def write(folder: Path, vit: ViT, layout: Layout, name: str) -> None:
    """Write the folder.

    Raises:
        UserError: the layout needs what OpenCLIP's own ViT does not have.
    """
    checks = (
        (layout.stem == "conv", "a convolutional stem"),
        (not layout.class_token, "no class token"),
        (layout.registers > 0, "register tokens"),
        (layout.positions in {"none", "corenet"}, f"positions of the kind {layout.positions!r}"),
        (layout.pooling == "map", "attention pooling"),
        (layout.norm == "none", "no final norm"),
        (layout.activation == "swiglu", "gated MLPs"),
        (not layout.qkv_bias, "attention without biases"),
        (not isinstance(layout.image_size, int), "images that are not square"),
    )
    refuse(name, "OpenCLIP's own ViT cannot compute", checks)
    vision = {
        "image_size": layout.image_size,
        "layers": layout.depth,
        "width": layout.embed_dim,
        "head_width": layout.embed_dim // layout.num_heads,
        "patch_size": layout.patch_size,
        "mlp_ratio": layout.mlp_ratio,
        "ls_init_value": 1.0 if layout.layer_scale else None,
        "no_ln_pre": not layout.pre_norm,
        "pool_type": "avg" if layout.pooling == "avg" else "tok",
        "final_ln_after_pool": layout.norm == "after",
        "act_kwargs": {"approximate": "tanh"} if layout.activation == "gelu_tanh" else None,
        "norm_kwargs": {"eps": layout.norm_eps},
    }
    shown = vit.preprocessing
    preprocess = {
        "size": shown.size,
        "mean": list(shown.mean),
        "std": list(shown.std),
        "interpolation": shown.interpolation,
        "resize_mode": shown.resize_mode,
    }
    quick = layout.activation == "quick_gelu"
    model = {"embed_dim": layout.embed_dim, "quick_gelu": quick, "vision_cfg": vision, "text_cfg": _TEXT}
    write_weights(folder, WEIGHTS, _state(tensors_of(vit), layout))
    write_json(folder / CONFIG, {"model_cfg": model, "preprocess_cfg": preprocess})


def _state(state: dict[str, Tensor], layout: Layout) -> dict[str, Tensor]:
    import torch

    positions = positions_of_all(state, layout)[0]
    if (bias := state.pop("patch_embed.proj.bias", None)) is not None:
        positions = torch.cat([positions[:1], positions[1:] + bias])
    out = {
        "class_embedding": state.pop("cls_token").flatten(),
        "positional_embedding": positions,
        "conv1.weight": state.pop("patch_embed.proj.weight"),
        "proj": torch.eye(layout.embed_dim),
    }
    del state["pos_embed"]
    for key, tensor in state.items():
        if block := re.fullmatch(r"blocks\.(\d+)\.(.+)", key):
            out[f"transformer.resblocks.{block.group(1)}.{_INSIDE[block.group(2)]}"] = tensor
        else:
            stem, _, part = key.rpartition(".")
            out[f"{_STEMS[stem]}.{part}"] = tensor
    return out
