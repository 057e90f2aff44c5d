"""Augmentation of a 96 px picture: ours against torchvision's newer transforms, in turns in one run.

python tests/performance/bench_loader.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2

from pretraining.data.augment import train_transform

PICTURES, ROUNDS = 500, 7


def seconds(transform: Callable, pictures: list[Image.Image]) -> float:
    begin = time.perf_counter()
    for picture in pictures:
        transform(picture)
    return (time.perf_counter() - begin) / len(pictures)


def main() -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    pictures = [Image.fromarray(rng.integers(0, 256, (96, 96, 3), dtype=np.uint8)) for _ in range(PICTURES)]
    ours = train_transform(96, (0.8, 1.0))
    theirs = v2.Compose(
        [v2.RandomResizedCrop(96, (0.8, 1.0), antialias=True), v2.RandomHorizontalFlip(), v2.PILToTensor()]
    )
    ratios, times = [], []
    for _ in range(ROUNDS):
        reference, mine = seconds(theirs, pictures), seconds(ours, pictures)
        ratios.append(reference / mine)
        times.append(mine)
    print(
        f"{1e6 * statistics.median(times):.0f} us a picture; "
        f"{statistics.median(ratios):.2f} x torchvision's newer transforms"
    )


if __name__ == "__main__":
    main()
