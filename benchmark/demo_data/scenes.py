"""Composing a scene: a ground, or two with a horizon, and emoji art laid over it back to front."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from benchmark.demo_data.art import Style, picture
from benchmark.demo_data.concepts import Concept
from benchmark.demo_data.textures import fractal, texture

Generator = np.random.Generator

JPEG_QUALITY = 92
#: Opacity from which a pixel belongs to an object's mask.
_SOLID = 0.5


@dataclass(frozen=True)
class Layout:
    """How objects are laid out.

    Attributes:
        smallest, largest: longest side of the art before rotation, in pixels; sizes are log-uniform.
        tilt: largest rotation either way, in degrees.
        min_visible: share of its own pixels that every object keeps, hidden and cut-off parts counted.
        min_pixels: visible pixels that every object keeps.
        crowding: 0 places objects anywhere; towards 1 they gather around one point.
        tries: positions tried before an object is left out.
    """

    smallest: float
    largest: float
    tilt: float = 30.0
    min_visible: float = 0.5
    min_pixels: int = 40
    crowding: float = 0.0
    tries: int = 20


@dataclass
class Placed:
    """One object of a scene.

    Attributes:
        concept: what it is.
        size: longest side before rotation, in pixels.
        box: extent of the whole object (x0, y0, x1, y1), in pixels, x1 and y1 exclusive; may leave the frame.
        mask: its visible pixels, bool [height, width].
    """

    concept: Concept
    size: float
    box: tuple[int, int, int, int]
    mask: np.ndarray


@dataclass
class Scene:
    """A drawn scene.

    Attributes:
        pixels: uint8 [height, width, 3].
        objects: what is on it, back to front; their masks do not overlap.
        grounds: names of the grounds, top to bottom.
        ground_map: index into ``grounds`` per pixel, uint8 [height, width], under the objects too.
    """

    pixels: np.ndarray
    objects: list[Placed]
    grounds: tuple[str, ...]
    ground_map: np.ndarray

    def jpeg(self) -> bytes:
        """The scene as a JPEG file."""
        buffer = io.BytesIO()
        Image.fromarray(self.pixels).save(buffer, "JPEG", quality=JPEG_QUALITY)
        return buffer.getvalue()


def compose(
    rng: Generator,
    *,
    width: int,
    height: int,
    grounds: Sequence[str],
    concepts: Sequence[Concept],
    style: Style,
    layout: Layout,
) -> Scene:
    """Draw ``concepts`` in ``style`` on ``grounds``.

    An object that finds no place where it and the ones behind it stay visible enough is left out, so every
    object on the picture is in ``Scene.objects`` and satisfies ``layout``.

    Args:
        rng: source of every choice.
        width: pixels.
        height: pixels.
        grounds: one ground, or two with a wavy horizon between them.
        concepts: objects, back to front.
        style: whose art.
        layout: sizes and rules of occlusion.

    Returns:
        The scene, with at least one object.

    Raises:
        ValueError: not even one object fits, because the layout does not suit the frame.
    """
    canvas, ground_map = _ground(rng, grounds, height, width)
    centre = (rng.uniform(0.3, 0.7) * width, rng.uniform(0.3, 0.7) * height)
    placed: list[Placed] = []
    whole: list[int] = []
    for concept in concepts:
        for attempt in range(layout.tries):
            shrink = 0.97**attempt if placed else 1.0
            art, size = _transformed(rng, picture(style, concept.emoji), layout, shrink)
            tall, wide = art.shape[:2]
            left, top = _position(rng, (wide, tall), (width, height), centre, layout.crowding, attempt)
            mask, total = _footprint(art, left, top, width, height)
            if _keeps_visible(mask, total, placed, whole, layout):
                _paste(canvas, art, left, top)
                for other in placed:
                    other.mask &= ~mask
                placed.append(Placed(concept, size, (left, top, left + wide, top + tall), mask))
                whole.append(total)
                break
    if not placed:
        raise ValueError(f"no object fits {width} x {height} pixels with {layout}")
    gain = rng.uniform(0.9, 1.08)
    pixels = np.clip(canvas * gain * 255 + 0.5, 0, 255).astype(np.uint8)
    return Scene(pixels, placed, tuple(grounds), ground_map)


def _ground(rng: Generator, grounds: Sequence[str], height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    canvas = texture(grounds[0], rng, height, width)
    ground_map = np.zeros((height, width), np.uint8)
    if len(grounds) > 1:
        line = height * rng.uniform(0.3, 0.7) + height * 0.25 * (
            fractal(rng, 2, width, width / 2, 3)[0] - 0.5
        )
        below = np.arange(height)[:, None] >= line[None, :]
        canvas = np.where(below[..., None], texture(grounds[1], rng, height, width), canvas)
        ground_map[below] = 1
    return canvas, ground_map


def _transformed(rng: Generator, art: Image.Image, layout: Layout, shrink: float) -> tuple[np.ndarray, float]:
    """Scale, flip, tilt and tint the art.

    Returns:
        RGBA, float32 [height, width, 4] in [0, 1], cut to its visible part; and its size.
    """
    size = float(np.exp(rng.uniform(np.log(layout.smallest), np.log(layout.largest))))
    size = max(size * shrink, layout.smallest)
    flip, angle = rng.random() < 0.5, rng.uniform(-layout.tilt, layout.tilt)
    tint = rng.uniform(0.88, 1.06) * rng.uniform(0.95, 1.05, 3)
    if flip:
        art = art.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    # Twice the final resolution while it is turned, so that turning does not blur it.
    scale = 2 * size / max(art.size)
    extent = (max(2, round(art.width * scale)), max(2, round(art.height * scale)))
    art = art.resize(extent, Image.Resampling.BILINEAR)
    art = art.rotate(angle, Image.Resampling.BILINEAR, expand=True).reduce(2)
    pixels = np.asarray(art, np.float32) / 255
    pixels[..., :3] = np.minimum(pixels[..., :3] * tint, 1)
    drawn = pixels[..., 3] > 1 / 16
    rows, columns = np.flatnonzero(drawn.any(1)), np.flatnonzero(drawn.any(0))
    return pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], size


def _position(
    rng: Generator,
    extents: tuple[int, int],
    sides: tuple[int, int],
    centre: tuple[float, float],
    crowding: float,
    attempt: int,
) -> tuple[int, int]:
    """Upper left corner (x, y): inside the frame, or up to a sixth of the object outside it."""
    # Later tries stay inside and let go of the crowd: they find a place where there is one.
    outside = 1 / 6 if attempt < 6 else 0.0
    pull = crowding if attempt < 12 else 0.0
    corner = []
    for extent, side, middle in zip(extents, sides, centre, strict=True):
        low, high = sorted((-outside * extent, side - (1 - outside) * extent))
        anywhere = rng.uniform(low, high)
        gathered = rng.normal(middle - extent / 2, side / 7)
        corner.append(round(min(max((1 - pull) * anywhere + pull * gathered, low), high)))
    return corner[0], corner[1]


def _window(art: np.ndarray, left: int, top: int, width: int, height: int) -> tuple:
    """Slices of the frame, and of the art, where the two meet."""
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + art.shape[1], width), min(top + art.shape[0], height)
    frame = (slice(y0, y1), slice(x0, x1))
    return frame, (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))


def _footprint(art: np.ndarray, left: int, top: int, width: int, height: int) -> tuple[np.ndarray, int]:
    """Where the art is solid within the frame, and how many solid pixels it has in all."""
    solid = art[..., 3] >= _SOLID
    mask = np.zeros((height, width), bool)
    frame, inside = _window(art, left, top, width, height)
    mask[frame] = solid[inside]
    return mask, int(solid.sum())


def _keeps_visible(
    mask: np.ndarray, total: int, placed: Sequence[Placed], whole: Sequence[int], layout: Layout
) -> bool:
    def enough(visible: int, full: int) -> bool:
        return visible >= layout.min_pixels and visible >= layout.min_visible * full

    if not enough(int(mask.sum()), total):
        return False
    return all(
        enough(int((other.mask & ~mask).sum()), full) for other, full in zip(placed, whole, strict=True)
    )


def _paste(canvas: np.ndarray, art: np.ndarray, left: int, top: int) -> None:
    """Lay the art over the canvas, in place."""
    frame, inside = _window(art, left, top, canvas.shape[1], canvas.shape[0])
    alpha = art[inside][..., 3:]
    canvas[frame] = canvas[frame] * (1 - alpha) + art[inside][..., :3] * alpha
