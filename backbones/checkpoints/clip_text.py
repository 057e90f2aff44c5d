"""Text towers of released CLIPs, from the files that their image towers come in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from backbones.checkpoints.files import unwrapped
from backbones.text import TextTower, assembled
from common.errors import UserError, first_line

_KEYS = ("token_embedding.", "positional_embedding", "transformer.", "ln_final.", "text_projection")


def open_clip_text(
    state: dict[str, Tensor],
    path: Path,
    quick_gelu: bool = False,
    embed_dim: int | None = None,
    config: dict[str, Any] | None = None,
) -> TextTower:
    """The text tower of a state dict in OpenCLIP's or OpenAI's keys.

    Args:
        state: all of a CLIP, wrapped in ``module.`` or not; its text may be in ``text.``.
        path: of the file, for messages.
        quick_gelu: OpenAI's activation.
        embed_dim, config: OpenCLIP's ``embed_dim`` and ``text_cfg``; None: OpenAI's, read off the tensors.

    Raises:
        UserError: there is no text tower in it, or none that OpenCLIP's transformer fits.
    """
    import open_clip.model

    state = unwrapped(state)
    if any(key.startswith("text.") for key in state):
        own = {key.removeprefix("text."): value for key, value in state.items() if key.startswith("text.")}
    else:
        own = {key: value for key, value in state.items() if key.startswith(_KEYS)}
    if not {"token_embedding.weight", "positional_embedding", "text_projection"} <= own.keys():
        raise UserError(f"{path} has no text tower: name a file of the whole CLIP")
    if config is None:
        vocabulary, width = own["token_embedding.weight"].shape
        blocks = {key.split(".")[2] for key in own if key.startswith("transformer.resblocks.")}
        config = {
            "context_length": own["positional_embedding"].shape[0],
            "vocab_size": vocabulary,
            "width": width,
            "heads": max(1, width // 64),
            "layers": len(blocks),
        }
        embed_dim = own["text_projection"].shape[1]
    try:
        cfg = open_clip.model.CLIPTextCfg(**config)
        encoder = open_clip.model._build_text_tower(embed_dim, cfg, quick_gelu=quick_gelu)
        encoder.load_state_dict({key: value.float() for key, value in own.items() if key != "attn_mask"})
    except (RuntimeError, TypeError, ValueError, AssertionError) as error:
        raise UserError(f"{path}: its text tower does not fit OpenCLIP's ({first_line(error)})") from None
    projection = _image_projection(state, path)
    return assembled(encoder.eval(), projection, float(state["logit_scale"]))


def transformers_text(folder: Path) -> TextTower:
    """The text tower of a CLIP that transformers saved in a folder, with its tokenizer.

    Raises:
        UserError: a file is missing, or cannot be read.
    """
    import transformers

    for names in (("model.safetensors",), ("tokenizer.json", "vocab.json")):
        if not any((folder / name).is_file() for name in names):
            raise UserError(f"{folder} has no {names[0]}: download the whole folder")
    try:
        model = transformers.CLIPModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
        tokenizer = transformers.CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # what is missing or torn makes the library raise many kinds
        raise UserError(
            f"{folder}: the text tower or its tokenizer cannot be read ({first_line(error)}): download the "
            "whole folder"
        ) from None
    projection, scale = model.visual_projection.weight.detach().float().T, float(model.logit_scale.detach())
    length = model.config.text_config.max_position_embeddings

    def tokenize(captions: list[str]) -> Tensor:
        return tokenizer(
            captions, padding="max_length", truncation=True, max_length=length, return_tensors="pt"
        )["input_ids"]

    return assembled(_Encoder(model), projection, scale, tokenize)


class _Encoder(torch.nn.Module):
    """transformers' CLIP as token numbers -> features."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor) -> Tensor:
        return self.model.text_projection(self.model.text_model(input_ids=tokens).pooler_output)


def _image_projection(state: dict[str, Tensor], path: Path) -> Tensor:
    """What takes the image tower's class token to the common space: [D, E]."""
    if (own := state.get("visual.proj")) is not None:
        return own.float()
    if (linear := state.get("visual.head.proj.weight")) is not None and "visual.head.proj.bias" not in state:
        return linear.float().T
    if any(key.startswith("visual.head.") for key in state):
        raise UserError(f"{path}: its image projection is more than one matrix, which is not supported")
    width = state["text_projection"].shape[-1] if "text_projection" in state else None
    if width is None:
        raise UserError(f"{path} has no projection of the image tower")
    return torch.eye(width)
