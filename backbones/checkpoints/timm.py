"""``timm:`` — any plain VisionTransformer of timm, with timm's own weights or a local file of them.

``timm:NAME.TAG`` takes the weights from timm's cache, or lets timm fetch them where that is allowed
(`backbones.download`); ``timm:NAME:FILE`` reads a local file and goes nowhere; ``timm:FOLDER`` is a folder as
timm saves it for its hub (config.json, weights).
"""

from __future__ import annotations

import functools
import json
import logging
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from backbones import download
from backbones.checkpoints.base import Reader
from backbones.checkpoints.recognise import check_folder
from common.digest import digest as digest_of
from common.digest import file_digest
from common.errors import UserError, first_line
from common.names import closest

if TYPE_CHECKING:
    from torch import nn

    from backbones.card import Card
    from backbones.preprocessing import Preprocessing
    from backbones.vit import ViT

_log = logging.getLogger(__name__)
_FOLDER_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


def _split(rest: str) -> tuple[str, str | None]:
    name, _, file = rest.partition(":")
    return name, file or None


class TimmReader(Reader):
    """Reads timm's ViTs."""

    source = "timm"

    def load(self, rest: str, seed: int = 0, weights: bool = True) -> ViT:
        """``NAME`` (weights from timm's own source), ``NAME:FILE`` or ``FOLDER``.

        Raises:
            UserError: the name, the file or its tensors do not fit.
        """
        if Path(rest).is_dir():
            return _load_folder(Path(rest), weights)
        name, file = _split(rest)
        if file is None:
            if weights:
                return build(name, pretrained=True)
            import torch

            with torch.device("meta"):
                return build(name)
        _check_file(name, Path(file))
        _known(name)
        return _load_file(name, Path(file), {}, {}, weights)

    def digest(self, rest: str) -> str:
        """A local file's digest; otherwise the name's, because a tag of timm names one set of weights.

        Raises:
            UserError: timm has no such plain ViT, or there is no such file of timm's weights.
        """
        if Path(rest).is_dir():
            from backbones.checkpoints.files import weights_digest

            check_folder(Path(rest), "timm")
            return weights_digest("timm", rest)
        name, file = _split(rest)
        if file:
            _check_file(name, Path(file))
        check(name)
        return digest_of(["timm", name, file_digest(Path(file)) if file else None])

    def describe(self, rest: str) -> Card:
        """timm's name of the architecture."""
        from backbones.card import Card, NamedArchitecture

        architecture = NamedArchitecture(name=_split(rest)[0], family="timm")
        return Card(architecture=architecture, objective=None, cost=None)

    def ready(self, rest: str) -> None:
        """Refuse a name whose weights would have to be fetched without the user having allowed it.

        Raises:
            UserError: they are not on this machine, and ``--download`` was not given.
        """
        name, file = _split(rest)
        if file is None and not Path(rest).is_dir():
            _cached(name)


def _check_file(name: str, file: Path) -> None:
    from backbones.checkpoints.files import check_file

    if not file.exists():
        raise UserError(f"{file} does not exist: name the file of timm weights as timm:{name}:FILE")
    check_file(file, "timm")


def plain(model: nn.Module, name: str) -> None:
    """Refuse what is no plain ViT.

    Raises:
        UserError: a VisionTransformer it is not, or one with a second class token.
    """
    from timm.models.vision_transformer import VisionTransformer

    if not isinstance(model, VisionTransformer) or hasattr(model, "dist_token"):
        raise UserError(f"timm's {name!r} is a {type(model).__name__}, not a plain VisionTransformer")


@functools.cache
def check(name: str) -> None:
    """Refuse what is no plain ViT of timm, without its weights.

    Raises:
        UserError: timm does not know the name, or it is another kind of model.
    """
    import timm
    import torch

    _known(name)
    with torch.device("meta"):
        plain(timm.create_model(name, pretrained=False, num_classes=0), name)


def _cached(name: str) -> tuple[Path | None, str]:
    """The file in timm's cache, and the place that timm fetches it from.

    Raises:
        UserError: it is not in the cache and may not be fetched, or timm has no weights of that name.
    """
    import huggingface_hub
    import timm
    import torch

    config = timm.get_pretrained_cfg(name)
    file, place = None, ""
    if config and config.hf_hub_id:
        repository, _, revision = config.hf_hub_id.partition("@")
        place = f"{repository} on the Hugging Face hub"
        for candidate in filter(None, (config.hf_hub_filename, *_FOLDER_WEIGHTS)):
            found = huggingface_hub.try_to_load_from_cache(repository, candidate, revision=revision or None)
            if isinstance(found, str):
                file = Path(found)
                break
    elif config and config.url:
        place = config.url
        found = Path(torch.hub.get_dir(), "checkpoints", PurePosixPath(place).name)
        file = found if found.is_file() else None
    if not place:
        raise UserError(f"timm has no weights of {name!r}: name random:{name}, or a file as timm:{name}:FILE")
    if file is None and not download.allowed():
        raise UserError(
            f"the weights of timm:{name} are not on this machine: add --download to let timm fetch them "
            f"({place}), or name a local file, timm:{name}:FILE"
        )
    return file, place


def _known(name: str) -> None:
    import timm

    architecture, _, tag = name.partition(".")
    if timm.is_model(architecture):
        if tag and not timm.is_model_pretrained(name):
            tags = [known.partition(".")[2] for known in timm.list_pretrained(f"{architecture}.*")]
            raise UserError(
                f"timm has no weights {tag!r} of {architecture}: it has {', '.join(tags) or 'none'}"
            )
    else:
        close = closest(name, timm.list_models("vit*", pretrained="." in name))
        hint = f"; close names: {', '.join(close)}" if close else ""
        raise UserError(f"timm has no model {name!r}{hint} (all of them: timm.list_models('vit*'))")


def _preprocessing(model: nn.Module, **overrides: Any) -> Preprocessing:
    import timm

    from backbones.preprocessing import Preprocessing

    config = {**timm.data.resolve_model_data_config(model), **overrides}
    return Preprocessing(
        size=config["input_size"][-1],
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        interpolation=config["interpolation"],
        crop_pct=config["crop_pct"],
        resize_mode="squash" if config.get("crop_mode") == "squash" else "shortest",
    )


def build(name: str, pretrained: bool = False) -> ViT:
    """Make timm's model, with random or timm's own weights, and wrap it.

    Raises:
        UserError: timm knows no such model, it is not a plain ViT, or its weights cannot be had.
    """
    import timm

    from backbones.checkpoints.files import read_state
    from backbones.vit import ViT

    check(name)
    place, overlay = "", {}
    if pretrained:
        file, place = _cached(name)
        if file is not None:
            overlay = {"state_dict": read_state(file, "timm"), "custom_load": False}
        _log.info("timm:%s: weights from %s", name, file or f"{place}, fetched by timm")
    try:
        model = timm.create_model(
            name,
            num_classes=0,
            dynamic_img_size=True,
            pretrained=pretrained,
            pretrained_cfg_overlay=overlay,
        )
    except Exception as error:  # timm and the hub raise many kinds
        reason = first_line(error)
        if place and not overlay:
            raise UserError(
                f"timm could not fetch the weights of {name!r} from {place} ({reason}): check the network or "
                f"name a local file, timm:{name}:FILE"
            ) from error
        raise UserError(f"timm could not make {name!r} ({reason}): check its name and weights") from error
    if overlay:
        model.pretrained_cfg["state_dict"] = None  # the model has its own copy now
    plain(model, name)
    return ViT(model, _preprocessing(model)).eval()


def _load_folder(folder: Path, weights: bool) -> ViT:
    check_folder(folder, "timm")
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        name = config["architecture"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is not timm's description of a model ({error!r}): name timm:NAME:FILE"
        ) from None
    found = [folder / file for file in _FOLDER_WEIGHTS if (folder / file).is_file()]
    if not found:
        raise UserError(f"{folder} has no {_FOLDER_WEIGHTS[0]}: name the file of weights as timm:{name}:FILE")
    _known(name)
    shown = config.get("pretrained_cfg") or {}
    keys = ("input_size", "mean", "std", "interpolation", "crop_pct", "crop_mode")
    overrides = {key: shown[key] for key in keys if key in shown}
    return _load_file(name, found[0], dict(config.get("model_args") or {}), overrides, weights)


def _load_file(
    name: str, file: Path, arguments: dict[str, Any], preprocessing: dict[str, Any], weights: bool
) -> ViT:
    import timm
    import torch

    from backbones.checkpoints.assemble import assemble
    from backbones.checkpoints.files import read_state
    from backbones.checkpoints.keys import Dropped, rename
    from backbones.checkpoints.recognise import advice, recognise

    state = read_state(file, "timm", weights)
    if recognise(state) != "timm":
        raise UserError(advice(state, "timm", file))
    arguments = {**arguments, **_image_size(state, name, arguments)}
    try:
        with torch.device("meta"):
            model = timm.create_model(
                name, pretrained=False, **{**arguments, "num_classes": 0, "dynamic_img_size": True}
            )
    except (TypeError, ValueError, AssertionError, RuntimeError) as error:
        raise UserError(f"timm could not make {name!r} for {file} ({error}): check its name") from error
    plain(model, name)

    def rule(key: str) -> str | Dropped:
        head = key.startswith(("head.", "head_dist.", "pre_logits."))
        return Dropped("classifier of another task") if head else key

    tensors, report = rename(state, rule, file, "timm")
    size = model.patch_embed.img_size
    overrides = {"input_size": (3, *size), **preprocessing}
    return assemble(model, tensors, report, file, _preprocessing(model, **overrides))


def _image_size(state: dict[str, Any], name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The size that the file's position embeddings are made for, where it is not the architecture's."""
    import timm
    import torch

    if "img_size" in arguments or "pos_embed" not in state or "patch_embed.proj.weight" not in state:
        return {}
    with torch.device("meta"):
        model = timm.create_model(name, pretrained=False, num_classes=0, **arguments)
    plain(model, name)
    count = state["pos_embed"].shape[1]
    if model.pos_embed is None or count == model.pos_embed.shape[1]:
        return {}
    side = round((count - (0 if model.no_embed_class else model.num_prefix_tokens)) ** 0.5)
    return {"img_size": side * int(model.patch_embed.feat_ratio())}
