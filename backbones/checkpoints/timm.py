"""``timm:`` — any VisionTransformer of timm, with timm's own pre-trained weights or a local file of them."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

from backbones.digest import digest as digest_of
from backbones.digest import file_digest
from backbones.errors import UserError

if TYPE_CHECKING:
    from backbones.vit import ViT


def _split(rest: str) -> tuple[str, str | None]:
    name, _, file = rest.partition(":")
    return name, file or None


def digest(rest: str) -> str:
    """A local file's digest; otherwise the name's, because a tag of timm names one set of weights."""
    name, file = _split(rest)
    if file and not Path(file).is_file():
        raise UserError(f"{file} does not exist: name the file of timm weights as timm:{name}:FILE")
    return digest_of(["timm", name, file_digest(Path(file)) if file else None])


def build(name: str, pretrained: bool = False, file: str | None = None) -> ViT:
    """Make timm's model and wrap it.

    Raises:
        UserError: timm knows no such model, it is not a plain ViT, or its weights cannot be had.
    """
    import timm
    from timm.models.vision_transformer import VisionTransformer

    from backbones.vit import Preprocessing, ViT

    if not timm.is_model(name.split(".")[0]):
        close = difflib.get_close_matches(name, timm.list_models("vit*", pretrained="." in name), n=3)
        hint = f"; close names: {', '.join(close)}" if close else ""
        raise UserError(f"timm has no model {name!r}{hint} (all of them: timm.list_models('vit*'))")
    source: dict = {"pretrained": pretrained or file is not None}
    if file:
        source["pretrained_cfg_overlay"] = {"file": file}
    try:
        model = timm.create_model(name, num_classes=0, dynamic_img_size=True, **source)
    except Exception as error:  # timm and the hub raise many kinds; all of them mean "no weights" here
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"timm could not make {name!r} ({first}); without network give a local file: timm:{name}:FILE"
        ) from error
    if not isinstance(model, VisionTransformer):
        raise UserError(f"timm's {name!r} is a {type(model).__name__}, not a plain VisionTransformer")
    config = timm.data.resolve_model_data_config(model)
    preprocessing = Preprocessing(
        size=config["input_size"][-1],
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        interpolation=config["interpolation"],
        crop_pct=config["crop_pct"],
    )
    return ViT(model, preprocessing).eval()


def load(rest: str) -> ViT:
    """``NAME`` (weights from timm's own source) or ``NAME:FILE``."""
    name, file = _split(rest)
    if file and not Path(file).is_file():
        raise UserError(f"{file} does not exist: name the file of timm weights as timm:{name}:FILE")
    return build(name, pretrained=True, file=file)
