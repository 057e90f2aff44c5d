"""How images are prepared for a backbone. Light: no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import inf, isfinite
from typing import Any

_LARGEST_SIZE = 65_536  # pixels per side


@dataclass(frozen=True)
class Preprocessing:
    """How the weights' source prepares an image.

    Attributes:
        size: pixels per side of the (centre-cropped) image.
        mean, std: per RGB channel, for values in [0, 1].
        interpolation: ``bilinear`` or ``bicubic``, always antialiased.
        crop_pct: share of the resized image's side that the centre crop keeps.
        resize_mode: ``shortest`` resizes the short side and keeps the image's shape; ``squash`` resizes both
            sides to the same length, as SigLIP and transformers' ViT do.
    """

    size: int
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    interpolation: str = "bilinear"
    crop_pct: float = 1.0
    resize_mode: str = "shortest"

    def __post_init__(self) -> None:
        if self.resize_mode not in ("shortest", "squash"):
            raise ValueError(f"resize_mode is shortest or squash, not {self.resize_mode!r}")
        if not (1 <= self.size <= _LARGEST_SIZE and 0 < self.crop_pct <= _LARGEST_SIZE):
            raise ValueError(f"size={self.size} and crop_pct={self.crop_pct} are no crop of an image")
        if not (all(map(isfinite, self.mean)) and all(0 < std < inf for std in self.std)):
            raise ValueError(f"mean={self.mean} and std={self.std} cannot be normalised with")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
