"""``superclass:`` — ViTs of SuperClass (arXiv 2411.03313), whose code builds on OpenCLIP's image tower.

``superclass:FILE``. The released configurations pool by the mean of the patches after the final norm, use
exact GELU and have no projection; the classifier over the text's tokens is no classifier over synsets and is
dropped. Checked against a model built as the released configurations say, not against released weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from backbones.checkpoints import clip_keys
from backbones.checkpoints.base import Reader
from backbones.checkpoints.files import read_state, split_options, weights_digest
from backbones.checkpoints.keys import rename
from backbones.checkpoints.recognise import advice
from common.errors import UserError

if TYPE_CHECKING:
    from backbones.card import Card
    from backbones.vit import ViT


class SuperClassReader(Reader):
    """Reads files of SuperClass."""

    source = "superclass"

    def load(self, rest: str, seed: int = 0, weights: bool = True) -> ViT:
        """Read a SuperClass checkpoint.

        Raises:
            UserError: it has no classifier over tokens (then it is no SuperClass model, and how it pools is
                unknown), or its tensors do not fit.
        """
        from backbones.checkpoints.assemble import CLIP_MEAN, CLIP_STD, assemble
        from backbones.preprocessing import Preprocessing

        path, _ = split_options(rest)
        state = read_state(path, "superclass", weights)
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

    def digest(self, rest: str) -> str:
        """Digest of the weights."""
        return weights_digest("superclass", rest)

    def describe(self, rest: str) -> Card:
        """The name of the file and the objective."""
        from backbones.card import Card, NamedArchitecture

        path, _ = split_options(rest)
        architecture = NamedArchitecture(name=path.stem, family="CLIP ViT")
        return Card(architecture=architecture, objective="superclass", cost=None)
