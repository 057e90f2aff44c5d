"""Everything that decides how a plain ViT computes, wherever its weights come from. Light: no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

ACTIVATIONS = ("gelu", "gelu_tanh", "quick_gelu", "swiglu")
POOLINGS = ("token", "avg", "map")
NORMS = ("before", "after", "none")
POSITIONS = ("timm", "bicubic", "corenet", "none")
_BOUNDS = {
    **{"embed_dim": (1, 65_536), "depth": (0, 1024), "num_heads": (1, 65_536), "patch_size": (1, 1024)},
    **{"mlp_ratio": (1 / 1024, 1024), "registers": (0, 65_536), "norm_eps": (0, 1)},
}
"""Least and most of what any ViT has: a file may claim anything."""
_LARGEST_IMAGE = 65_536  # pixels per side


@dataclass(frozen=True)
class Layout:
    """A ViT's computation, in full. The defaults are those of a ViT pre-trained here.

    Attributes:
        embed_dim: width of the tokens.
        depth: number of transformer blocks.
        num_heads: attention heads of each block.
        patch_size: pixels per token along each side.
        stem: ``conv`` for CoreNet's three convolutions (arXiv 2404.15653, released code), ``linear`` for the
            original patch projection.
        image_size: pixels per side, or (height, width), that the position embeddings are made for.
        mlp_ratio: width of an MLP's hidden layer in widths of the tokens.
        class_token: there is one.
        registers: number of register tokens (arXiv 2309.16588).
        embed_class: class and register tokens have positions of their own.
        pre_norm: a norm before the first block (CLIP).
        patch_bias: the patch projection has a bias.
        qkv_bias: queries, keys and values have biases.
        layer_scale: each branch is scaled channel by channel (arXiv 2103.17239).
        activation: ``gelu``, ``gelu_tanh``, ``quick_gelu`` (x * sigmoid(1.702 x)) or ``swiglu`` (gated).
        norm_eps: of every LayerNorm.
        pooling: the class token, the mean of the patches, or attention pooling (SigLIP's ``map``).
        norm: the final norm comes ``before`` or ``after`` pooling, or there is ``none``.
        positions: how position embeddings are resized: ``timm`` (bicubic, antialiased), ``bicubic`` (without
            antialiasing, as transformers does), ``corenet`` (bilinear along the flattened index), or ``none``
            when the ViT has no position embeddings.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  a computation that is not known here is refused

    embed_dim: int
    depth: int
    num_heads: int
    patch_size: int = 16
    stem: str = "conv"
    image_size: int | tuple[int, int] = 224
    mlp_ratio: float = 4.0
    class_token: bool = True
    registers: int = 0
    embed_class: bool = False
    pre_norm: bool = False
    patch_bias: bool = True
    qkv_bias: bool = True
    layer_scale: bool = False
    activation: str = "gelu"
    norm_eps: float = 1e-6
    pooling: str = "token"
    norm: str = "before"
    positions: str = "timm"

    def __post_init__(self) -> None:
        if isinstance(self.image_size, list):
            object.__setattr__(self, "image_size", tuple(self.image_size))
        for value, known in (
            (self.activation, ACTIVATIONS),
            (self.pooling, POOLINGS),
            (self.norm, NORMS),
            (self.positions, POSITIONS),
            (self.stem, ("conv", "linear")),
        ):
            if value not in known:
                raise ValueError(f"{value!r} is none of {', '.join(known)}")
        for name, (least, most) in _BOUNDS.items():
            if not least <= getattr(self, name) <= most:  # NaN is not, either
                raise ValueError(f"{name}={getattr(self, name)} is not between {least:g} and {most:g}")
        if self.stem == "conv" and self.patch_size != 16:
            raise ValueError(f"CoreNet's convolutions make patches of 16 pixels, not {self.patch_size}")
        for side in (self.image_size,) if isinstance(self.image_size, int) else self.image_size:
            if not self.patch_size <= side <= _LARGEST_IMAGE:
                raise ValueError(f"image_size={self.image_size}: a patch has {self.patch_size} pixels")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def mlp_ratio(hidden_dim: int, embed_dim: int) -> float:
    """The ratio whose product with the width, cut to an integer as timm cuts it, is `hidden_dim`."""
    ratio = hidden_dim / embed_dim
    return ratio if int(embed_dim * ratio) == hidden_dim else (hidden_dim + 0.5) / embed_dim
