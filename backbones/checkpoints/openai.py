"""``openai:`` — OpenAI's CLIP ViTs, from the TorchScript archives they were released as.

``openai:FILE``. The archive's code is never run: only its tensors are read (`checkpoints.archive`). A plain
state dict of the same model is read as well. Released models use quick GELU and heads 64 channels wide.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING

from backbones.checkpoints import clip_keys
from backbones.checkpoints.base import Reader
from backbones.checkpoints.files import read_head, read_state, split_options, unwrapped, weights_digest
from backbones.checkpoints.keys import Dropped, rename
from common.errors import UserError, first_line

if TYPE_CHECKING:
    from torch import Tensor

    from backbones.card import Card
    from backbones.text import TextTower
    from backbones.vit import ViT


class OpenAIReader(Reader):
    """Reads OpenAI's archives, and state dicts of the same models."""

    source = "openai"

    def load(self, rest: str, seed: int = 0, weights: bool = True) -> ViT:
        """Read OpenAI's CLIP image tower.

        Raises:
            UserError: the file is no such model, is damaged, or needs more than tensors to be read.
        """
        from backbones.checkpoints.assemble import CLIP_MEAN, CLIP_STD, assemble
        from backbones.preprocessing import Preprocessing

        path, _ = split_options(rest)
        state = _read(path, weights)
        prefix = clip_keys.prefix_of(state, path, "openai")
        rule = clip_keys.rule(prefix)
        numbers = {"input_resolution", "context_length", "vocab_size"}
        tensors, report = rename(
            state,
            lambda key: Dropped("a number the tensors' shapes say already") if key in numbers else rule(key),
            path,
            "openai",
        )
        width = tensors["pos_embed"].shape[-1] if "pos_embed" in tensors else 64
        layout = clip_keys.layout_from(tensors, path, width // 64, "quick_gelu")
        size = layout.image_size
        return assemble(layout, tensors, report, path, Preprocessing(size, CLIP_MEAN, CLIP_STD, "bicubic"))

    def text(self, rest: str) -> TextTower:
        """The text tower of the same file."""
        from backbones.checkpoints.clip_text import open_clip_text

        path, _ = split_options(rest)
        return open_clip_text(_read(path, True), path, quick_gelu=True)

    def digest(self, rest: str) -> str:
        """Digest of the weights."""
        return weights_digest("openai", rest)

    def describe(self, rest: str) -> Card:
        """The name of the file and the objective."""
        from backbones.card import Card, NamedArchitecture

        path, _ = split_options(rest)
        architecture = NamedArchitecture(name=path.stem, family="CLIP ViT")
        return Card(architecture=architecture, objective="clip", cost=None)


def _read(path: Path, weights: bool) -> dict[str, Tensor]:
    from backbones.checkpoints.archive import is_torchscript, read_torchscript

    read_head(path, "openai")
    if not is_torchscript(path):
        return read_state(path, "openai", weights)
    try:
        state = read_torchscript(path, weights)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} is an archive that needs more than tensors ({first_line(error)}) and is not opened: "
            "name OpenCLIP's safetensors of the same model (openclip:FILE?model=ViT-B-16-quickgelu)"
        ) from None
    except Exception as error:  # a damaged file makes zipfile, pickle and torch raise many kinds
        raise UserError(f"{path} is damaged or truncated ({first_line(error)}): download it again") from None
    return unwrapped(state) if state else state
