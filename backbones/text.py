"""The text tower beside an image tower: what both make of captions and pictures, in one space."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common.errors import UserError
from common.files import replacing, write_json

WEIGHTS, DESCRIPTION = "text.safetensors", "text.json"
"""Files of a suite's folder: tensors, and what is needed to make sense of them."""

MAX_SCALE = 100.0
"""What CLIP's learned factor of similarities is capped at, in training and after."""

FORMAT = 1
BPE = "openclip-bpe"
"""The tokenizer of all CLIPs, as OpenCLIP has it."""


class TextTower(nn.Module):
    """What compares captions with pictures.

    Args:
        encoder: token numbers [N, L] -> features [N, E], projection included.
        tokenize: captions -> token numbers [N, L].
        projection: class tokens [B, D] -> [B, E].
        logit_scale: factor of similarities (one over the temperature).
    """

    def __init__(
        self,
        encoder: Callable[[Tensor], Tensor],
        tokenize: Callable[[list[str]], Tensor],
        projection: Callable[[Tensor], Tensor],
        logit_scale: float,
    ) -> None:
        super().__init__()
        self.encoder, self.tokenize, self.projection = encoder, tokenize, projection
        self.logit_scale = logit_scale

    @torch.inference_mode()
    def texts(self, captions: Sequence[str], batch_size: int = 256, device: str = "cpu") -> Tensor:
        """Captions as unit vectors [N, E] on the CPU."""
        parts = [
            F.normalize(
                self.encoder(self.tokenize(list(captions[start : start + batch_size])).to(device)).float(),
                dim=-1,
            ).cpu()
            for start in range(0, len(captions), batch_size)
        ]
        return torch.cat(parts)

    @torch.inference_mode()
    def images(self, class_tokens: Tensor) -> Tensor:
        """Class tokens [B, D] of the image tower as unit vectors [B, E]."""
        return F.normalize(self.projection(class_tokens).float(), dim=-1)


def save_text(folder: Path, shape: dict[str, int], state: dict[str, Tensor]) -> None:
    """Write a tower into a suite's folder.

    Args:
        shape: arguments of `text_transformer`.
        state: ``text.*`` of the transformer, ``image_projection`` [D, E] and ``logit_scale`` (its logarithm).
    """
    from safetensors.torch import save_file

    tensors = {key: value.detach().contiguous().cpu() for key, value in state.items()}
    with replacing(Path(folder) / WEIGHTS) as temporary:
        save_file(tensors, temporary)
    temperature = float(torch.exp(-tensors["logit_scale"]))
    write_json(
        Path(folder) / DESCRIPTION,
        {"format": FORMAT, "tokenizer": BPE, "temperature": temperature, "shape": shape},
    )


def read_text(folder: Path) -> TextTower:
    """The tower of a suite's folder.

    Raises:
        UserError: there is none, or it does not fit its description.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = Path(folder)
    path = folder / DESCRIPTION
    if not path.is_file() or not (folder / WEIGHTS).is_file():
        raise UserError(
            f"{folder} has no text tower ({WEIGHTS}): it was pre-trained without one, or by a version that "
            "did not keep it (pre-train again)"
        )
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        state = load_file(folder / WEIGHTS)
        if description["format"] > FORMAT or description["tokenizer"] != BPE:
            raise UserError(f"{path} is of a newer version: update the suite")
        encoder = text_transformer(**description["shape"])
        own = {key[len("text.") :]: value for key, value in state.items() if key.startswith("text.")}
        encoder.load_state_dict(own)
        projection, scale = state["image_projection"], float(state["logit_scale"])
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{folder / WEIGHTS} cannot be used ({reason}): pre-train again") from None
    return assembled(encoder.eval(), projection, scale)


def text_transformer(context_length: int, width: int, heads: int, layers: int, embed_dim: int) -> nn.Module:
    """OpenCLIP's text transformer, untrained."""
    import open_clip.transformer

    return open_clip.transformer.TextTransformer(
        context_length=context_length, width=width, heads=heads, layers=layers, output_dim=embed_dim
    )


def assembled(
    encoder: Any,
    projection: Tensor,
    logit_scale: float,
    tokenize: Callable[[list[str]], Tensor] | None = None,
) -> TextTower:
    """A tower of its parts.

    Args:
        encoder: token numbers [N, L] -> features [N, E].
        projection: [D, E].
        logit_scale: logarithm of the factor, which is capped at `MAX_SCALE`.
        tokenize: captions -> token numbers; default OpenCLIP's BPE, `encoder.context_length` long.
    """
    if tokenize is None:
        from open_clip.tokenizer import SimpleTokenizer

        tokenize = SimpleTokenizer(context_length=encoder.context_length)
    scale = min(math.exp(logit_scale), MAX_SCALE)
    return TextTower(encoder, tokenize, lambda tokens: tokens @ projection.to(tokens), scale)
