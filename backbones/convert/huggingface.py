"""A folder of transformers: config.json, model.safetensors and preprocessor_config.json.

The model is the one whose computation fits: `CLIPVisionModel` (a norm before the blocks), `SiglipVisionModel`
(no class token), `Dinov2Model` (layer scale), `Dinov2WithRegistersModel` (registers) or `ViTModel`. Weights
have the names that the hub's files have, which every version of transformers reads. What a family has and the
backbone lacks is written as zeros where that computes the same: the class token's position, a bias of the
patch projection, DINOv2's mask token.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbones.convert.parts import positions_of_all, refuse, tensors_of, write_json, write_weights

if TYPE_CHECKING:
    from torch import Tensor

    from backbones.layout import Layout
    from backbones.preprocessing import Preprocessing
    from backbones.vit import ViT

SOURCE = "hf"
_CLASSES = {
    "clip_vision_model": "CLIPVisionModel",
    "siglip_vision_model": "SiglipVisionModel",
    "dinov2": "Dinov2Model",
    "dinov2_with_registers": "Dinov2WithRegistersModel",
    "vit": "ViTModel",
}
_ACTIVATIONS = {
    "gelu": "gelu",
    "quick_gelu": "quick_gelu",
    "gelu_tanh": "gelu_pytorch_tanh",
    "swiglu": "silu",
}
_CLIP_BLOCK = {
    "norm1": "layer_norm1",
    "norm2": "layer_norm2",
    "attn.q": "self_attn.q_proj",
    "attn.k": "self_attn.k_proj",
    "attn.v": "self_attn.v_proj",
    "attn.proj": "self_attn.out_proj",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}
_ATTENTION = {
    "attn.q": "attention.attention.query",
    "attn.k": "attention.attention.key",
    "attn.v": "attention.attention.value",
    "attn.proj": "attention.output.dense",
}
_VIT_BLOCK = {
    **_ATTENTION,
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
}
_DINO_BLOCK = {**_ATTENTION, "norm1": "norm1", "norm2": "norm2", "mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2"}
_GATED = {"mlp.fc1": "mlp.weights_in", "mlp.fc2": "mlp.weights_out"}
_POOL = {
    "attn_pool.proj": "head.attention.out_proj",
    "attn_pool.norm": "head.layernorm",
    "attn_pool.mlp.fc1": "head.mlp.fc1",
    "attn_pool.mlp.fc2": "head.mlp.fc2",
}


_POOLINGS = {"avg": "mean pooling", "map": "attention pooling"}


def write(folder: Path, vit: ViT, layout: Layout, name: str) -> None:
    """Write the folder.

    Raises:
        UserError: no model of transformers that is known here computes this.
    """
    family = _family(layout)
    ratio = _ratio(layout)
    token = family != "siglip_vision_model"
    dino = family.startswith("dinov2")
    checks = (
        (layout.stem == "conv", "a convolutional stem"),
        (layout.positions in {"none", "corenet"}, f"positions of the kind {layout.positions!r}"),
        (not isinstance(layout.image_size, int), "images that are not square"),
        (token and not layout.class_token, "no class token"),
        (token and layout.pooling != "token", f"{_POOLINGS.get(layout.pooling)} beside a class token"),
        (layout.norm == "none" or (not token and layout.norm == "after"), "no final norm before pooling"),
        (layout.pre_norm and family != "clip_vision_model", "a norm before the blocks without class token"),
        (layout.pre_norm and layout.patch_bias, "a norm before the blocks and a bias of the patches"),
        (
            layout.registers > 0 and family != "dinov2_with_registers",
            "registers and a norm before the blocks",
        ),
        (layout.registers > 0 and layout.embed_class, "registers with positions"),
        (layout.layer_scale and not dino, "layer scale outside DINOv2"),
        (layout.registers > 0 and not layout.layer_scale, "registers without layer scale"),
        (layout.activation == "swiglu" and not dino, "gated MLPs outside DINOv2"),
        (not layout.qkv_bias and not dino and family != "vit", "attention without biases"),
        (dino and ratio is None, f"MLPs {layout.mlp_ratio:g} times as wide as the tokens"),
    )
    refuse(name, "no ViT of transformers has", checks)
    config: dict[str, Any] = {
        "model_type": family,
        "architectures": [_CLASSES[family]],
        "hidden_size": layout.embed_dim,
        "num_hidden_layers": layout.depth,
        "num_attention_heads": layout.num_heads,
        "image_size": layout.image_size,
        "patch_size": layout.patch_size,
        "num_channels": 3,
        "hidden_act": _ACTIVATIONS[layout.activation],
        "layer_norm_eps": layout.norm_eps,
        "torch_dtype": "float32",
    }
    if dino:
        config |= {"mlp_ratio": ratio, "qkv_bias": layout.qkv_bias, "layerscale_value": 1.0}
        if layout.activation == "swiglu":
            config |= {"use_swiglu_ffn": True, "hidden_act": "gelu"}
        if layout.registers:
            config["num_register_tokens"] = layout.registers
    else:
        config["intermediate_size"] = int(layout.embed_dim * layout.mlp_ratio)
        if family == "vit":
            config["qkv_bias"] = layout.qkv_bias
        if family == "siglip_vision_model" and layout.pooling == "avg":
            config["vision_use_head"] = False
    write_weights(folder, "model.safetensors", _state(tensors_of(vit), layout, family))
    write_json(folder / "config.json", config)
    write_json(folder / "preprocessor_config.json", _processor(vit.preprocessing))


def _family(layout: Layout) -> str:
    if layout.pre_norm and layout.class_token:
        return "clip_vision_model"
    if not layout.class_token:
        return "siglip_vision_model"
    if layout.registers:
        return "dinov2_with_registers"
    return "dinov2" if layout.layer_scale else "vit"


def _ratio(layout: Layout) -> int | None:
    """DINOv2's `mlp_ratio`, a whole number; its gated MLPs keep two thirds, rounded up to a multiple of 8."""
    hidden = int(layout.embed_dim * layout.mlp_ratio)
    for ratio in range(1, 17):
        wide = layout.embed_dim * ratio
        if layout.activation == "swiglu":
            wide = 2 * ((int(wide * 2 / 3) + 7) // 8 * 8)
        if wide == hidden:
            return ratio
    return None


def _state(state: dict[str, Tensor], layout: Layout, family: str) -> dict[str, Tensor]:
    """The tensors under transformers' names."""
    import torch

    clip_like = family in {"clip_vision_model", "siglip_vision_model"}
    positions = positions_of_all(state, layout)
    del state["pos_embed"]
    bias = state.pop("patch_embed.proj.bias", None)
    weight = state.pop("patch_embed.proj.weight")
    patch = "patch_embedding" if clip_like else "patch_embeddings.projection"
    out = {f"embeddings.{patch}.weight": weight}
    if family != "clip_vision_model":
        out[f"embeddings.{patch}.bias"] = weight.new_zeros(layout.embed_dim) if bias is None else bias
    if clip_like:
        out["embeddings.position_embedding.weight"] = positions[0]
        if layout.class_token:
            out["embeddings.class_embedding"] = state.pop("cls_token").flatten()
    else:
        out["embeddings.position_embeddings"] = positions
        out["embeddings.cls_token"] = state.pop("cls_token")
    if family.startswith("dinov2"):
        out["embeddings.mask_token"] = weight.new_zeros(1, layout.embed_dim)
    if layout.registers:
        out["embeddings.register_tokens"] = state.pop("reg_token")
    if layout.pooling == "map":
        out["head.probe"] = state.pop("attn_pool.latent")
        for part in ("weight", "bias"):
            joined = [state.pop(f"attn_pool.{letters}.{part}") for letters in ("q", "kv")]
            out[f"head.attention.in_proj_{part}"] = torch.cat(joined)
    norm = "post_layernorm" if clip_like else "layernorm"
    stems = {"norm_pre": "pre_layrnorm", "norm": norm, "fc_norm": norm, **_POOL}
    inside = _CLIP_BLOCK if clip_like else _VIT_BLOCK if family == "vit" else _DINO_BLOCK
    if layout.activation == "swiglu":
        inside = {**inside, **_GATED}
    block = "encoder.layers" if clip_like else "encoder.layer"
    for key, tensor in state.items():
        match = re.fullmatch(r"blocks\.(\d+)\.(.+)\.(weight|bias|gamma)", key)
        if match is None:
            stem, _, part = key.rpartition(".")
            out[f"{stems[stem]}.{part}"] = tensor
            continue
        number, stem, part = match.groups()
        if stem == "attn.qkv":
            for letter, piece in zip("qkv", tensor.chunk(3), strict=True):
                out[f"{block}.{number}.{inside[f'attn.{letter}']}.{part}"] = piece
        elif part == "gamma":
            out[f"{block}.{number}.layer_scale{stem[-1]}.lambda1"] = tensor
        else:
            out[f"{block}.{number}.{inside[stem]}.{part}"] = tensor
    return {f"vision_model.{key}": value for key, value in out.items()} if clip_like else out


def _processor(shown: Preprocessing) -> dict[str, Any]:
    """preprocessor_config.json: of the processor that resizes to a square, or of the one that crops."""
    edge = round(shown.size / shown.crop_pct)
    values = {
        "do_resize": True,
        "resample": {"bilinear": 2, "bicubic": 3}[shown.interpolation],
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(shown.mean),
        "image_std": list(shown.std),
    }
    if shown.resize_mode == "squash":
        size = {"height": shown.size, "width": shown.size}
        return {"image_processor_type": "ViTImageProcessor", "size": size, **values}
    return {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": edge},
        "do_center_crop": True,
        "crop_size": {"height": shown.size, "width": shown.size},
        **values,
    }
