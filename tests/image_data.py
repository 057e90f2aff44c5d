"""Tiny drawn classification data, and a backbone that sees nothing but their colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from backbones.vit import Preprocessing, Tokens

COLOURS = {"blue": (20, 40, 200), "green": (30, 190, 40), "red": (210, 30, 20)}


class MeanColour(nn.Module):
    """A backbone whose class token is the mean colour and whose patches are the picture."""

    preprocessing = Preprocessing(size=16)

    def forward(self, images: torch.Tensor) -> Tokens:
        return Tokens(images.mean((2, 3)), images)


def draw_images(
    root: Path,
    counts: tuple[tuple[str, int], ...] = (("train", 6), ("val", 4), ("test", 8)),
    size: tuple[int, int] = (20, 16),
    colours: dict[str, tuple[int, int, int]] = COLOURS,
) -> Path:
    """An image folder: a class for each colour, and so many noisy images of each in every split."""
    random = np.random.default_rng(0)
    for split, count in counts:
        for name, colour in colours.items():
            folder = root / split / name
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                pixels = np.asarray(colour) + random.normal(0, 25, (*size, 3))
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")
    return root
