"""``superclass:`` — ViTs of SuperClass (arXiv 2411.03313), whose code builds on OpenCLIP's image tower.

``superclass:FILE``. The released configurations pool by the mean of the patches after the final norm, use
exact GELU and have no projection; the classifier over the text's tokens is no classifier over synsets and is
dropped. Checked against a model built as the released configurations say, not against released weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backbones.checkpoints import clip_keys
from backbones.checkpoints.recognise import advice
from backbones.checkpoints.state import read_state, rename, split_options, weights_digest
from common.errors import UserError

if TYPE_CHECKING:
    from backbones.vit import ViT


def digest(rest: str) -> str:
    return weights_digest("superclass", rest)


def describe(rest: str) -> dict[str, Any]:
    path, _ = split_options(rest)
    return {
        "architecture": {"name": path.stem, "family": "CLIP ViT"},
        "objective": "superclass",
        "cost": None,
    }


def load(rest: str) -> ViT:
    """Read a SuperClass checkpoint.

    Raises:
        UserError: it has no classifier over tokens (then it is no SuperClass model, and how it pools is
            unknown), or its tensors do not fit.
    """
    from backbones.checkpoints.assemble import CLIP_MEAN, CLIP_STD, assemble
    from backbones.vit import Preprocessing

    path, _ = split_options(rest)
    state = read_state(path, "superclass")
    if not any(key.startswith("text_decoder.text_projection") for key in state):
        raise UserError(advice(state, "superclass", path))
    prefix = clip_keys.prefix_of(state, path, "superclass")
    if f"{prefix}proj" in state:
        raise UserError(
            f"{path} has a projection before its classifier, unlike the released SuperClass models: "
            f"which features are meant is unknown; name it openclip:{path}?model=NAME"
        )
    tensors, report = rename(state, clip_keys.rule(prefix), path, "superclass")
    width = tensors["pos_embed"].shape[-1] if "pos_embed" in tensors else 64
    layout = clip_keys.layout_from(tensors, path, width // 64, "gelu", pooling="avg")
    size = layout.image_size
    return assemble(layout, tensors, report, path, Preprocessing(size, CLIP_MEAN, CLIP_STD, "bicubic"))
