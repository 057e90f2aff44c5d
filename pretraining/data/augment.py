"""From pictures to the images of a batch: cropped at random to train on, at the centre to validate on."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image
from torch import Tensor
from torchvision import transforms
from torchvision.transforms import v2

Transform = Callable[[Image.Image], Tensor]


def train_transform(image_size: int, scale: tuple[float, float] = (0.5, 1.0), flip: float = 0.5) -> Transform:
    """Random resized crop and horizontal flip, to uint8 [3, size, size].

    Torchvision's older transforms, which cost a little less per picture than its newer ones.
    """
    return transforms.Compose(
        [
            transforms.RandomResizedCrop(image_size, scale),
            transforms.RandomHorizontalFlip(flip),
            transforms.PILToTensor(),
        ]
    )


def eval_transform(image_size: int) -> Transform:
    """Short side to `image_size`, centre crop, to uint8 [3, size, size]."""
    return v2.Compose([v2.Resize(image_size, antialias=True), v2.CenterCrop(image_size), v2.PILToTensor()])
