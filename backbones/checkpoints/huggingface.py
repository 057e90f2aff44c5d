"""``hf:`` — folders as transformers saves them: CLIP and SigLIP vision models, ViT, DINOv2 (registers too).

``hf:FOLDER`` with config.json and model.safetensors. Heads, activation and epsilon come from config.json
(transformers leaves out what equals its defaults, so those are known here), widths and depth from the
tensors, preprocessing from preprocessor_config.json. The class token is what the model pools: CLIP's and
ViT's token after the final norm, SigLIP's attention pooling. transformers itself is not needed.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbones.checkpoints.base import Reader
from backbones.checkpoints.files import read_state, weights_digest
from backbones.checkpoints.keys import Dropped, KeyReport, depth_of, rename, square_grid
from backbones.checkpoints.recognise import advice, check_folder
from common.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from backbones.card import Card
    from backbones.layout import Layout
    from backbones.preprocessing import Preprocessing
    from backbones.text import TextTower
    from backbones.vit import ViT

_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_ACTIVATIONS = {
    "gelu": "gelu",
    "quick_gelu": "quick_gelu",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_new": "gelu_tanh",
}
# model_type -> what transformers' configuration class says where config.json is silent
_DEFAULTS: dict[str, dict[str, Any]] = {
    "clip": {"num_attention_heads": 12, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5},
    "siglip": {"num_attention_heads": 12, "hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6},
    "vit": {"num_attention_heads": 12, "hidden_act": "gelu", "layer_norm_eps": 1e-12},
    "dinov2": {"num_attention_heads": 12, "hidden_act": "gelu", "layer_norm_eps": 1e-6},
}
_FAMILIES = {
    "clip": "clip",
    "clip_vision_model": "clip",
    "siglip": "siglip",
    "siglip_vision_model": "siglip",
    "vit": "vit",
    "dinov2": "dinov2",
    "dinov2_with_registers": "dinov2",
}
_PATCH = {
    "clip": "embeddings.patch_embedding.weight",
    "siglip": "embeddings.patch_embedding.weight",
    "vit": "embeddings.patch_embeddings.projection.weight",
    "dinov2": "embeddings.patch_embeddings.projection.weight",
}
_NAMES = {
    "embeddings.class_embedding": "cls_token",
    "embeddings.cls_token": "cls_token",
    "embeddings.register_tokens": "reg_token",
    "embeddings.position_embedding.weight": "pos_embed",
    "embeddings.position_embeddings": "pos_embed",
    "head.probe": "attn_pool.latent",
    "head.attention.in_proj_weight": "attn_pool.joined.weight",
    "head.attention.in_proj_bias": "attn_pool.joined.bias",
}
_STEMS = {
    "embeddings.patch_embedding": "patch_embed.proj",
    "embeddings.patch_embeddings.projection": "patch_embed.proj",
    "pre_layrnorm": "norm_pre",  # transformers' own spelling
    "post_layernorm": "norm",
    "layernorm": "norm",
    "head.attention.out_proj": "attn_pool.proj",
    "head.layernorm": "attn_pool.norm",
    "head.mlp.fc1": "attn_pool.mlp.fc1",
    "head.mlp.fc2": "attn_pool.mlp.fc2",
}
_INSIDE = {
    "layer_norm1": "norm1",
    "layer_norm2": "norm2",
    "layernorm_before": "norm1",
    "layernorm_after": "norm2",
    "norm1": "norm1",
    "norm2": "norm2",
    "self_attn.q_proj": "attn.q",
    "self_attn.k_proj": "attn.k",
    "self_attn.v_proj": "attn.v",
    "self_attn.out_proj": "attn.proj",
    "attention.attention.query": "attn.q",
    "attention.attention.key": "attn.k",
    "attention.attention.value": "attn.v",
    "attention.output.dense": "attn.proj",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
    "mlp.weights_in": "mlp.fc1",
    "mlp.weights_out": "mlp.fc2",
    "intermediate.dense": "mlp.fc1",
    "output.dense": "mlp.fc2",
}
_BLOCK = re.compile(r"encoder\.layers?\.(\d+)\.(.+)\.(weight|bias)")
_SCALE = re.compile(r"encoder\.layer\.(\d+)\.layer_scale([12])\.lambda1")


class HuggingFaceReader(Reader):
    """Reads folders of transformers."""

    source = "hf"

    def load(self, rest: str, seed: int = 0, weights: bool = True) -> ViT:
        """Read a folder of transformers.

        Raises:
            UserError: the folder is incomplete, of another kind of model, or its tensors do not fit.
        """
        from backbones.checkpoints.assemble import assemble

        folder = Path(rest).expanduser()
        family, config = _config(folder)
        found = [folder / name for name in _WEIGHTS if (folder / name).is_file()]
        if not found:
            shards = (folder / f"{_WEIGHTS[0]}.index.json").is_file()
            remedy = "save it again in one file (max_shard_size)" if shards else "download the weights too"
            raise UserError(f"{folder} has no {_WEIGHTS[0]}: {remedy}")
        path = found[0]
        state = read_state(path, "hf", weights)
        prefixes = [key[: -len(_PATCH[family])] for key in state if key.endswith(_PATCH[family])]
        if len(prefixes) != 1:
            raise UserError(
                advice(state, "hf", path) if not prefixes else f"{path} holds several ViTs: keep one"
            )
        tensors, report = rename(state, _rule(prefixes[0]), path, "hf")
        layout = _layout(tensors, report, family, config, path)
        return assemble(
            layout, tensors, report, path, _preprocessing(folder, family, layout.image_size, report)
        )

    def text(self, rest: str) -> TextTower:
        """CLIP's text tower of the same folder, run by transformers.

        Raises:
            UserError: the folder is of another kind of model, or lacks the tokenizer.
        """
        from backbones.checkpoints.clip_text import transformers_text

        folder = Path(rest).expanduser()
        kind = _description(folder)["model_type"]
        if kind != "clip":
            raise UserError(f"{folder} describes a {kind!r} model: text towers are read of whole CLIPs")
        return transformers_text(folder)

    def digest(self, rest: str) -> str:
        """Digest of the weights and configurations; a folder of another kind of model is refused at once."""
        _config(Path(rest).expanduser())
        return weights_digest("hf", rest)

    def describe(self, rest: str) -> Card:
        """Architecture and family from config.json, without reading the weights."""
        from backbones.card import Card, NamedArchitecture

        family, _ = _config(Path(rest).expanduser())
        objective = {"clip": "clip", "siglip": "siglip", "dinov2": "dinov2"}.get(family)
        architecture = NamedArchitecture(name=Path(rest).name, family=family)
        return Card(architecture=architecture, objective=objective, cost=None)


def _description(folder: Path) -> dict[str, Any]:
    """What config.json says, of a kind of model that is supported."""
    path = folder / "config.json"
    check_folder(folder, "hf")
    if folder.is_file():
        raise UserError(
            f"{folder} is a file: name the folder with config.json and model.safetensors (hf:FOLDER)"
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        kind = config["model_type"]
    except FileNotFoundError:
        raise UserError(
            f"{path} does not exist: name a folder as transformers saves it (hf:FOLDER); the hub's come with "
            "hf download REPOSITORY --local-dir FOLDER"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is not transformers' description of a model ({error!r})") from None
    if kind not in _FAMILIES:
        raise UserError(
            f"{path} describes a {kind!r} model, which is not supported: {', '.join(_FAMILIES)} are"
        )
    return config


def _config(folder: Path) -> tuple[str, dict[str, Any]]:
    config = _description(folder)
    kind = config["model_type"]
    family = _FAMILIES[kind]
    config = config.get("vision_config", config) if kind in {"clip", "siglip"} else config
    return family, {**_DEFAULTS[family], **config}


def _rule(prefix: str):
    def rule(key: str) -> str | Dropped | None:
        if not key.startswith(prefix) or (not prefix and key.startswith(("classifier.", "text_model."))):
            text = "text" in key or "logit" in key or "visual_projection" in key
            return Dropped("text tower or projection into its space" if text else "head of another task")
        name = key[len(prefix) :]
        if name in _NAMES:
            return _NAMES[name]
        stem, _, part = name.rpartition(".")
        if stem in _STEMS:
            return f"{_STEMS[stem]}.{part}"
        if match := _SCALE.fullmatch(name):
            return f"blocks.{match.group(1)}.ls{match.group(2)}.gamma"
        match = _BLOCK.fullmatch(name)
        if match and match.group(2) in _INSIDE:
            return f"blocks.{match.group(1)}.{_INSIDE[match.group(2)]}.{match.group(3)}"
        if name == "embeddings.position_ids":
            return Dropped("numbers of the positions, 0, 1, 2, …")
        if name == "embeddings.mask_token":
            return Dropped("mask token, used in pre-training only")
        if name.startswith("pooler."):
            return Dropped("pooler after the class token (a layer and tanh), no part of the ViT")
        return None

    return rule


def _layout(
    tensors: dict[str, Tensor], report: KeyReport, family: str, config: dict[str, Any], path: Path
) -> Layout:
    """The layout, with the tensors brought into timm's shape in place."""
    import torch

    from backbones.layout import Layout, mlp_ratio

    for needed in ("pos_embed", "blocks.0.mlp.fc1.weight", "blocks.0.attn.q.weight"):
        if needed not in tensors:
            raise UserError(f"{path} lacks {needed} of the backbone: the file is incomplete")
    depth = depth_of(tensors, "blocks.")
    for block in range(depth):
        for part in ("weight", "bias"):
            names = [f"blocks.{block}.attn.{letter}.{part}" for letter in "qkv"]
            if all(name in tensors for name in names):
                joined = torch.cat([tensors.pop(name) for name in names])
                tensors[f"blocks.{block}.attn.qkv.{part}"] = joined
    width = tensors["pos_embed"].shape[-1]
    for part in ("weight", "bias"):
        if (joined := tensors.pop(f"attn_pool.joined.{part}", None)) is not None:
            tensors[f"attn_pool.q.{part}"], tensors[f"attn_pool.kv.{part}"] = joined[:width], joined[width:]
    positions = tensors["pos_embed"] = tensors["pos_embed"].reshape(1, -1, width)
    has_class_token, registers = "cls_token" in tensors, 0
    if has_class_token:
        tensors["cls_token"] = tensors["cls_token"].reshape(1, 1, width)
    if "reg_token" in tensors:
        # registers come in after the positions were added, so the class token takes its own along
        registers = tensors["reg_token"].shape[1]
        tensors["cls_token"] = tensors["cls_token"].float() + positions[:, :1].float()
        tensors["pos_embed"] = positions[:, 1:]
        report.notes.append("the class token holds its position, because registers have none")
    patches = positions.shape[1] - int(has_class_token)
    hidden = tensors["blocks.0.mlp.fc1.weight"].shape[0]
    pooling = "map" if "attn_pool.latent" in tensors else "token" if has_class_token else "avg"
    if pooling == "avg":
        report.notes.append("no pooling head in the file: the mean of the patches stands for it")
    activation = config["hidden_act"]
    if activation not in _ACTIVATIONS:
        raise UserError(
            f"{path.parent}/config.json has hidden_act {activation!r}: "
            f"{', '.join(_ACTIVATIONS)} are supported"
        )
    patch = tensors["patch_embed.proj.weight"].shape[-1]
    return Layout(
        embed_dim=width,
        depth=depth,
        num_heads=config["num_attention_heads"],
        patch_size=patch,
        stem="linear",
        image_size=patch * square_grid(patches, path),
        mlp_ratio=mlp_ratio(hidden, width),
        class_token=has_class_token,
        registers=registers,
        embed_class=has_class_token and not registers,
        pre_norm="norm_pre.weight" in tensors,
        patch_bias="patch_embed.proj.bias" in tensors,
        qkv_bias="blocks.0.attn.qkv.bias" in tensors,
        layer_scale="blocks.0.ls1.gamma" in tensors,
        activation="swiglu" if config.get("use_swiglu_ffn") else _ACTIVATIONS[activation],
        norm_eps=config["layer_norm_eps"],
        pooling=pooling,
        # transformers antialiases for DINOv2 with registers only
        positions="timm" if registers else "bicubic",
    )


def _preprocessing(folder: Path, family: str, size: int, report: KeyReport) -> Preprocessing:
    from backbones.checkpoints.assemble import CLIP_MEAN, CLIP_STD, HALF, IMAGENET_MEAN, IMAGENET_STD
    from backbones.preprocessing import Preprocessing

    means = {"clip": (CLIP_MEAN, CLIP_STD), "dinov2": (IMAGENET_MEAN, IMAGENET_STD)}
    mean, std = means.get(family, (HALF, HALF))
    interpolation = "bilinear" if family == "vit" else "bicubic"
    crop_pct = 1.0
    # the processors of SigLIP and ViT resize both sides to a square, those of CLIP and DINOv2 crop one
    resize_mode = "squash" if family in {"siglip", "vit"} else "shortest"
    path = folder / "preprocessor_config.json"
    if path.is_file():
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if values.get("do_normalize", True):
                mean = tuple(values.get("image_mean", mean))
                std = tuple(values.get("image_std", std))
            else:
                mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
            resample = values.get("resample", 3 if interpolation == "bicubic" else 2)
            interpolation = {2: "bilinear", 3: "bicubic"}[resample]
            edge, crop = _edge(values.get("size")), _edge(values.get("crop_size"))
            shown = values.get("size")
            if isinstance(shown, dict):
                resize_mode = "shortest" if "shortest_edge" in shown else "squash"
            if crop and values.get("do_center_crop", True):
                size, crop_pct = crop, min(crop / (edge or crop), 1.0)
                if not isinstance(shown, dict):
                    resize_mode = "shortest"
            elif resize_mode == "squash":
                size = edge or size
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is not understood ({error!r}): download it again") from None
    else:
        report.notes.append(f"no preprocessor_config.json: the preprocessing is the usual one of {family}")
    return Preprocessing(size, mean, std, interpolation, crop_pct, resize_mode)


def _edge(size: Any) -> int | None:
    """Pixels per side, however the processor says it."""
    if isinstance(size, dict):
        return size.get("shortest_edge") or size.get("height")
    return size
