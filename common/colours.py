"""A decoded picture as RGB, as a viewer shows it. Light: no numpy until a picture is converted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

_PLAIN = frozenset({"RGB", "L", "1", "P", "CMYK", "YCbCr", "LAB", "HSV"})
"""Modes that Pillow itself converts as a viewer does: 8 bits, nothing transparent."""


def is_plain(image: Image) -> bool:
    """Whether a picture has 8 bits a colour and nothing transparent. Nothing is decoded for that."""
    return image.mode in _PLAIN and "transparency" not in image.info


def rgb(image: Image) -> Image:
    """A picture as RGB: what is transparent lies on white, 16 bits and fractions are scaled to 8 bits.

    Raises:
        ValueError: fractions are not of 1, or numbers are not of 16 bits: what is white cannot be said.
    """
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return _grey(image).convert("RGB")
    if "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info:
        from PIL import Image

        shown = image.convert("RGBA")
        ground = Image.new("RGBA", shown.size, (255, 255, 255, 255))
        return Image.alpha_composite(ground, shown).convert("RGB")
    return image.convert("RGB")


def _grey(image: Image) -> Image:
    import numpy as np
    from PIL import Image

    values = np.asarray(image, dtype=np.float64)
    if image.mode == "F":
        full, words = 1.0, "fractions that are not in 0 to 1"
    else:
        # 16-bit grey is often read as 32 bits
        full, words = 65535.0, "numbers of more than 16 bits"
        if not image.mode.startswith("I;16") and values.max(initial=0) <= 255:
            full = 255.0
    if not ((values >= 0) & (values <= full)).all():
        raise ValueError(f"it has {words}: save it with 8 bits")
    return Image.fromarray((values / full * 255).round().astype(np.uint8))
