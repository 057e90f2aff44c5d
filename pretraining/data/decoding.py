"""Crops of JPEGs for training, faster than Pillow makes them: by libjpeg-turbo, large ones at a fraction.

Where this cannot, it answers None and the caller takes Pillow: without simplejpeg, for other formats, for
CMYK, for whatever is broken. Pillow alone decides which pictures are refused.
"""

from __future__ import annotations

import math

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

try:
    import simplejpeg
except ImportError:
    simplejpeg = None

Box = tuple[int, int, int, int]
"""Top, left, height and width [pixels of the whole picture], as torchvision's crops have them."""

_FRACTIONS = (1 / 8, 1 / 4, 1 / 2)  # libjpeg-turbo is slower at those between than at full size
_COLOURS = {"YCbCr", "RGB", "Gray"}  # of these it makes the very pixels that Pillow makes


def jpeg_shape(data: bytes) -> tuple[int, int] | None:
    """Height and width [pixels] of a picture that `decode_crop` may be able to decode, or None.

    Pictures above Pillow's limit are left to Pillow, which warns of them or refuses them.
    """
    if simplejpeg is None or not data.startswith(b"\xff\xd8"):
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None
    limit = Image.MAX_IMAGE_PIXELS
    if colours not in _COLOURS or (limit is not None and height * width > limit):
        return None
    return height, width


def decode_crop(data: bytes, shape: tuple[int, int], box: Box, size: int) -> Tensor | None:
    """A part of a JPEG, resized.

    At full size it differs from Pillow's by rounding alone. A crop of at least twice `size` is decoded at a
    half, a quarter or an eighth, never below `size`; its edges are then rounded to pixels of that picture.

    Args:
        data: the JPEG.
        shape: height and width, by `jpeg_shape`.
        box: the part.
        size: of the result [pixels].

    Returns:
        uint8 [3, size, size]; None if the JPEG is broken.
    """
    height, width = shape
    fraction = next((each for each in _FRACTIONS if min(box[2:]) * each >= size), 1)
    try:
        pixels = simplejpeg.decode_jpeg(
            data, min_height=math.ceil(height * fraction), min_width=math.ceil(width * fraction)
        )
    except ValueError:  # for warnings, too, which Pillow passes over
        return None
    top, left, bottom, right = (
        math.floor(edge * fraction + 0.5)  # not round(): to even, it could make a crop smaller than `size`
        for edge in (box[0], box[1], box[0] + box[2], box[1] + box[3])
    )
    part = torch.from_numpy(pixels[top:bottom, left:right]).permute(2, 0, 1)[None]
    return F.interpolate(part, (size, size), mode="bilinear", antialias=True)[0].contiguous()
