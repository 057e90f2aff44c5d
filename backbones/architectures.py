"""The ViT shapes that can be pre-trained here, by name. Light: no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Architecture:
    """Shape of a plain ViT.

    Attributes:
        embed_dim: width of the tokens.
        depth: number of transformer blocks.
        num_heads: attention heads of each block.
        patch_size: pixels per token along each side.
        stem: ``conv`` for CoreNet's three convolutions (arXiv 2404.15653, released code), ``linear`` for the
            original patch projection.
        image_size: pixels per side the position embeddings are made for.
    """

    embed_dim: int
    depth: int
    num_heads: int
    patch_size: int = 16
    stem: str = "conv"
    image_size: int = 224
    mlp_ratio: float = 4.0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


_WIDTHS = {
    "tiny": (192, 12, 3),
    "small": (384, 12, 6),
    "base": (768, 12, 12),
    "large": (1024, 24, 16),
    "huge": (1280, 32, 20),
}

# `conv16` is CoreNet's ViT, the one of CLIP and CatLIP in arXiv 2404.15653; `patch16` has a linear patch
# embedding. `mini` is the size that learns on two CPU cores within minutes.
ARCHITECTURES: dict[str, Architecture] = {
    f"vit_{size}_{suffix}": Architecture(width, depth, heads, stem=stem)
    for size, (width, depth, heads) in _WIDTHS.items()
    for suffix, stem in (("conv16", "conv"), ("patch16", "linear"))
}
ARCHITECTURES["vit_mini_conv16"] = Architecture(192, 6, 3, image_size=96)
ARCHITECTURES["vit_nano_conv16"] = Architecture(32, 2, 2, image_size=64)
