"""A folder as timm saves it for its hub: config.json and model.safetensors.

``timm:FOLDER`` and timm's own ``local-dir:FOLDER`` read it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from backbones.convert.parts import refuse, tensors_of, write_json, write_weights

if TYPE_CHECKING:
    from backbones.layout import Layout
    from backbones.vit import ViT

SOURCE = "timm"


def write(folder: Path, vit: ViT, layout: Layout, name: str) -> None:
    """Write the folder.

    Raises:
        UserError: the layout needs what timm's config.json cannot say.
    """
    checks = (
        (layout.stem == "conv", "a convolutional stem"),
        (layout.positions in {"bicubic", "corenet"}, f"positions resized as {layout.positions} does"),
        (layout.patch_bias == layout.pre_norm, "a patch projection with another bias"),
        (layout.activation == "swiglu", "gated MLPs"),
        (layout.norm_eps != 1e-6, f"norms with epsilon {layout.norm_eps:g}"),
    )
    refuse(name, "timm's config.json cannot say", checks)
    arguments = {
        "img_size": layout.image_size,
        "patch_size": layout.patch_size,
        "embed_dim": layout.embed_dim,
        "depth": layout.depth,
        "num_heads": layout.num_heads,
        "mlp_ratio": layout.mlp_ratio,
        "qkv_bias": layout.qkv_bias,
        "global_pool": layout.pooling,
        "class_token": layout.class_token,
        "no_embed_class": not layout.embed_class,
        "reg_tokens": layout.registers,
        "pos_embed": "none" if layout.positions == "none" else "learn",
        "pre_norm": layout.pre_norm,
        "final_norm": layout.norm != "none",
        "fc_norm": layout.norm == "after",
        "init_values": 1.0 if layout.layer_scale else None,
        "act_layer": layout.activation,
        "norm_layer": "layernorm",
    }
    side = layout.image_size if isinstance(layout.image_size, int) else layout.image_size[0]
    preprocessing = vit.preprocessing
    config = {
        "architecture": "vit_base_patch16_224",
        "num_classes": 0,
        "model_args": arguments,
        "pretrained_cfg": {
            "input_size": [3, side, side],
            "mean": list(preprocessing.mean),
            "std": list(preprocessing.std),
            "interpolation": preprocessing.interpolation,
            "crop_pct": preprocessing.crop_pct,
            "crop_mode": "squash" if preprocessing.resize_mode == "squash" else "center",
            "num_classes": 0,
            "first_conv": "patch_embed.proj",
            "classifier": "head",
        },
    }
    write_weights(folder, "model.safetensors", tensors_of(vit))
    write_json(folder / "config.json", config)
