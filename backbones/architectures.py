"""The ViT shapes that can be pre-trained here, by name. Light: no torch."""

from __future__ import annotations

from backbones.layout import Layout

_WIDTHS = {
    "tiny": (192, 12, 3),
    "small": (384, 12, 6),
    "base": (768, 12, 12),
    "large": (1024, 24, 16),
    "huge": (1280, 32, 20),
}

# `conv16` is CoreNet's ViT, the one of CLIP and CatLIP in arXiv 2404.15653; `patch16` has a linear patch
# embedding. `mini` is the size that learns on two CPU cores within minutes.
ARCHITECTURES: dict[str, Layout] = {
    f"vit_{size}_{suffix}": Layout(width, depth, heads, stem=stem)
    for size, (width, depth, heads) in _WIDTHS.items()
    for suffix, stem in (("conv16", "conv"), ("patch16", "linear"))
}
ARCHITECTURES["vit_mini_conv16"] = Layout(192, 6, 3, image_size=96)
ARCHITECTURES["vit_nano_conv16"] = Layout(32, 2, 2, image_size=64)
