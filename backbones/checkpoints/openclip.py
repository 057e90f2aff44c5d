"""``openclip:`` — image towers of OpenCLIP, its own ViTs and timm's.

``openclip:FOLDER`` (open_clip_config.json beside the weights, as they are released) or
``openclip:FILE?model=NAME&pretrained=TAG``. A state dict does not say which activation it was trained with or
how wide its heads are, so the configuration must be known: from the folder, from `model`, or from a file that
is called exactly like a model of OpenCLIP (``ViT-B-16.pt``). `pretrained`, a tag of OpenCLIP's table, adds
its quick GELU and preprocessing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbones.checkpoints import clip_keys
from backbones.checkpoints.base import Reader
from backbones.checkpoints.files import read_state, split_options, weights_digest
from backbones.checkpoints.keys import Dropped, rename
from backbones.checkpoints.recognise import advice, check_folder
from common.errors import UserError
from common.names import closest

if TYPE_CHECKING:
    from torch import Tensor, nn

    from backbones.card import Card
    from backbones.preprocessing import Preprocessing
    from backbones.text import TextTower
    from backbones.vit import ViT

OPTIONS = ("model", "pretrained")
CONFIG = "open_clip_config.json"
_WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
)
_UNSUPPORTED = (
    "attentional_pool",
    "block_type",
    "qk_norm",
    "scaled_cosine_attn",
    "scale_heads",
    "scale_attn_inner",
    "scale_attn",
    "scale_fc",
)


class OpenCLIPReader(Reader):
    """Reads image towers of OpenCLIP."""

    source = "openclip"

    def load(self, rest: str, seed: int = 0, weights: bool = True) -> ViT:
        """Read an OpenCLIP image tower.

        Raises:
            UserError: the configuration is not known or not supported, or the tensors do not fit it.
        """
        from backbones.checkpoints.assemble import assemble

        path, options = _file(rest)
        state = read_state(path, "openclip", weights)
        if not any(key.startswith("visual.trunk.") for key in state):
            clip_keys.prefix_of(state, path, "openclip")
        if any(key.startswith("text_decoder.text_projection") for key in state):
            raise UserError(advice(state, "openclip", path))
        config, preprocess = _config(path, options)
        vision = config["vision_cfg"]
        if vision.get("timm_model_name"):
            trunk = _timm_trunk(vision, config["embed_dim"], path)
            tensors, report = rename(state, _timm_rule, path, "openclip")
            theirs = dict(trunk.pretrained_cfg)
            preprocess = preprocess or {
                **theirs,
                "resize_mode": "squash" if theirs.get("crop_mode") == "squash" else None,
            }
            size = trunk.patch_embed.img_size[0]
        else:
            tensors, report, trunk = _own(state, vision, bool(config.get("quick_gelu")), path)
            size = trunk.image_size
        if preprocess.get("resize_mode") == "longest":
            raise UserError(
                f"{path}: images are padded to a square, which is not supported: use another model"
            )
        return assemble(trunk, tensors, report, path, _preprocessing(size, preprocess))

    def text(self, rest: str) -> TextTower:
        """The text tower of the same file: OpenCLIP's transformers over BPE tokens."""
        from backbones.checkpoints.clip_text import open_clip_text

        path, options = _file(rest)
        config, _ = _config(path, options)
        text = dict(config.get("text_cfg") or {})
        if text.get("hf_model_name") or text.get("hf_tokenizer_name") or config.get("multimodal_cfg"):
            raise UserError(f"{path}: text towers of transformers inside OpenCLIP's are not supported")
        quick = bool(config.get("quick_gelu"))
        return open_clip_text(read_state(path, "openclip", True), path, quick, config["embed_dim"], text)

    def digest(self, rest: str) -> str:
        """Digest of the weights, of the config beside them and of the options."""
        path, options = split_options(rest, OPTIONS)
        _check_there(path, options)
        config = path.parent / CONFIG
        beside = weights_digest("openclip", str(config)) if path.is_file() and config.is_file() else ""
        return weights_digest("openclip", rest, OPTIONS) + beside

    def describe(self, rest: str) -> Card:
        """The name of the model and the objective."""
        from backbones.card import Card, NamedArchitecture

        path, options = split_options(rest, OPTIONS)
        architecture = NamedArchitecture(name=options.get("model", path.stem), family="CLIP ViT")
        return Card(architecture=architecture, objective="clip", cost=None)


def _file(rest: str) -> tuple[Path, dict[str, str]]:
    """The file of weights that a name means, and the name's options.

    Raises:
        UserError: it is not there.
    """
    path, options = split_options(rest, OPTIONS)
    _check_there(path, options)
    if path.is_dir():
        found = [path / name for name in _WEIGHTS if (path / name).is_file()]
        if not found or not (path / CONFIG).is_file():
            raise UserError(
                f"{path} is a folder without {CONFIG} and {_WEIGHTS[0]}: name openclip:FILE?model=NAME"
            )
        path = found[0]
    return path, options


def _check_there(path: Path, options: dict[str, str]) -> None:
    """Weights of OpenCLIP's table are fetched by OpenCLIP, not here; the way is told.

    Raises:
        UserError: the file of a known tag does not exist, or the folder is another source's.
    """
    if path.is_dir():
        check_folder(path, "openclip")
    tag = options.get("pretrained")
    if path.exists() or not tag:
        return
    model = options.get("model", path.stem)
    fetch = f"import open_clip as o; print(o.download_pretrained(o.get_pretrained_cfg('{model}', '{tag}')))"
    raise UserError(f'{path} does not exist: fetch it with  python -c "{fetch}"  and name the file it prints')


def _preprocessing(size: int, values: dict[str, Any]) -> Preprocessing:
    from backbones.checkpoints.assemble import CLIP_MEAN, CLIP_STD
    from backbones.preprocessing import Preprocessing

    return Preprocessing(
        size,
        tuple(values.get("mean") or CLIP_MEAN),
        tuple(values.get("std") or CLIP_STD),
        values.get("interpolation") or "bicubic",
        resize_mode=values.get("resize_mode") or "shortest",
    )


def _own(state: dict[str, Tensor], vision: dict[str, Any], quick_gelu: bool, path: Path):
    if isinstance(vision.get("layers"), (list, tuple)):
        raise UserError(f"{path} goes with a ResNet, not a ViT: name a ViT's weights")
    if used := [name for name in _UNSUPPORTED if vision.get(name)]:
        raise UserError(f"{path} goes with a ViT with {used[0]}, which is not supported: use another model")
    act = dict(vision.get("act_kwargs") or {})
    activation = "quick_gelu" if quick_gelu else "gelu"
    if act.pop("approximate", None) == "tanh" and not quick_gelu:
        activation = "gelu_tanh"
    pool = vision.get("pool_type", "tok")
    if act or pool not in {"tok", "avg"}:
        raise UserError(f"{path}: activation options {act} and pooling {pool!r} are not supported")
    after = bool(vision.get("final_ln_after_pool"))
    prefix = clip_keys.prefix_of(state, path, "openclip")
    tensors, report = rename(state, clip_keys.rule(prefix, "fc_norm" if after else "norm"), path, "openclip")
    layout = clip_keys.layout_from(
        tensors,
        path,
        vision["width"] // vision.get("head_width", 64),
        activation,
        pooling="avg" if pool == "avg" else "token",
        norm="after" if after else "before",
        norm_eps=(vision.get("norm_kwargs") or {}).get("eps", 1e-5),
    )
    told = (vision["width"], vision["layers"], vision["patch_size"], not vision.get("no_ln_pre"))
    seen = (layout.embed_dim, layout.depth, layout.patch_size, layout.pre_norm)
    if told != seen:
        raise UserError(
            f"{path} has (width, depth, patch, norm before the blocks) {seen}, its configuration {told}: "
            "name the right one (openclip:FILE?model=NAME)"
        )
    return tensors, report, layout


def _timm_rule(key: str) -> str | Dropped | None:
    if key.startswith("visual.trunk."):
        name = key[len("visual.trunk.") :]
        return clip_keys.PROJECTION if name.startswith("head.") else name
    return clip_keys.PROJECTION if key.startswith("visual.head.") else clip_keys.TEXT


def _timm_trunk(vision: dict[str, Any], embed_dim: int, path: Path) -> nn.Module:
    """timm's model, made as OpenCLIP's adapter makes it."""
    import torch

    from backbones.checkpoints.timm import plain

    pool, projection = vision.get("timm_pool", "avg"), vision.get("timm_proj", "linear")
    if pool in {"abs_attn", "rot_attn"}:
        raise UserError(f"{path} pools by {pool!r}, which is not supported: use another model")
    name = vision["timm_model_name"]
    arguments = {} if projection in {"linear", "mlp"} else {"num_classes": 0, "global_pool": pool}
    import timm

    with torch.device("meta"):
        trunk = timm.create_model(name, pretrained=False, dynamic_img_size=True, **arguments)
        plain(trunk, name)
        trunk.reset_classifier(0, **({"global_pool": pool} if pool and not arguments else {}))
    return trunk


def _config(path: Path, options: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """OpenCLIP's configuration for a file: (model, preprocessing)."""
    beside = path.parent / CONFIG
    if "model" not in options and beside.is_file():
        try:
            values = json.loads(beside.read_text(encoding="utf-8"))
            return values["model_cfg"], values.get("preprocess_cfg") or {}
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"{beside} cannot be read ({error!r}): download it again") from None
    import open_clip
    from open_clip.pretrained import get_pretrained_cfg, list_pretrained_tags_by_model

    name = options.get("model", path.stem)
    config = open_clip.get_model_config(name)
    if config is None:
        close = closest(name, open_clip.list_models(), count=2)
        hint = f" (close: {', '.join(close)})" if close else ""
        raise UserError(
            f"{path}: OpenCLIP has no model {name!r}{hint}, and heads and activation are not in the weights: "
            f"name openclip:{path}?model=NAME"
        )
    if tag := options.get("pretrained"):
        values = get_pretrained_cfg(name, tag)
        if not values:
            tags = ", ".join(list_pretrained_tags_by_model(name)[:6]) or "none"
            raise UserError(f"OpenCLIP has no weights {tag!r} of {name}: its tags begin with {tags}")
        return {**config, "quick_gelu": values.get("quick_gelu", config.get("quick_gelu"))}, values
    tagged = [get_pretrained_cfg(name, tag) for tag in list_pretrained_tags_by_model(name)]
    ways = {
        (tuple(v.get("mean") or ()), tuple(v.get("std") or ()), v.get("interpolation"), v.get("resize_mode"))
        for v in tagged
    }
    if len(ways) > 1:
        raise UserError(
            f"{path}: OpenCLIP's {name} models differ in their preprocessing: name the one it is, "
            f"openclip:{path}?model={name}&pretrained=TAG"
        )
    return config, tagged[0] if tagged else {}
