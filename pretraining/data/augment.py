"""From undecoded samples to images: cropped at random to train on, at the centre to validate on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from PIL.Image import Image
from torch import Tensor
from torchvision.transforms import RandomResizedCrop, v2
from torchvision.transforms import functional as F

from pretraining.data.decoding import decode_crop, jpeg_shape
from pretraining.data.shards import RawSample, decode_image, image_bytes

Transform = Callable[[RawSample], Tensor]
"""An undecoded sample to uint8 [3, size, size]; raises what `decode_image` raises."""

_RATIO = (3 / 4, 4 / 3)
_LONGEST = 256  # times the short side, which validation enlarges to `image_size` before it crops


def train_transform(image_size: int, scale: tuple[float, float] = (0.5, 1.0), flip: float = 0.5) -> Transform:
    """Random resized crop and horizontal flip, to uint8 [3, size, size]."""
    return _RandomCrop(image_size, scale, flip)


def eval_transform(image_size: int) -> Transform:
    """Short side to `image_size`, centre crop, to uint8 [3, size, size]; by Pillow, pixel by pixel."""
    return v2.Compose(
        [
            _decode_whole,
            v2.Resize(image_size, antialias=True),
            v2.CenterCrop(image_size),
            v2.PILToTensor(),
        ]
    )


def _decode_whole(sample: RawSample) -> Image:
    picture = decode_image(sample)
    if max(picture.size) > _LONGEST * min(picture.size):
        raise ValueError(f"its picture is a line of {picture.width} x {picture.height} pixels")
    return picture


@dataclass(frozen=True)
class _RandomCrop:
    """Draws from PyTorch's generator what torchvision's transforms would, whoever decodes the picture."""

    size: int
    scale: tuple[float, float]
    flip: float

    def __call__(self, sample: RawSample) -> Tensor:
        data = image_bytes(sample)
        shape = jpeg_shape(data)
        picture = None if shape else decode_image(sample)
        height, width = shape or (picture.height, picture.width)
        whole = torch.empty(1, 1, 1).expand(1, height, width)  # torchvision asks for its shape alone
        box = RandomResizedCrop.get_params(whole, self.scale, _RATIO)
        flipped = torch.rand(1).item() < self.flip
        image = decode_crop(data, shape, box, self.size) if shape else None
        if image is None:
            picture = picture or decode_image(sample)
            image = F.pil_to_tensor(F.resized_crop(picture, *box, [self.size, self.size]))
        return image.flip(-1) if flipped else image
