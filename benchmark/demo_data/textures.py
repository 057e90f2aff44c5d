"""Grounds for the scenes, drawn from noise: ``texture(name, rng, height, width)``.

Every ground has a look of its own and varies in colour, scale and arrangement, so that a network has to learn
it rather than remember it. Values are float32 in [0, 1], shape [height, width, 3].
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

Array = np.ndarray
Generator = np.random.Generator


def texture(name: str, rng: Generator, height: int, width: int) -> Array:
    """Draw ground ``name`` (one of ``concepts.BACKGROUNDS``).

    Args:
        name: which ground.
        rng: source of every variation.
        height: pixels.
        width: pixels.

    Returns:
        float32 [height, width, 3] in [0, 1].
    """
    image = _DRAW[name](rng, height, width)
    # Calmer than drawn, so that the objects stand out: the ground is the easy half of a picture.
    image = image.mean((0, 1)) + _CONTRAST.get(name, 0.85) * (image - image.mean((0, 1)))
    image = image * rng.uniform(0.85, 1.12) + rng.normal(0, 0.02, 3)
    return np.clip(image, 0, 1).astype(np.float32)


def noise(rng: Generator, height: int, width: int, cell: float, cell_y: float | None = None) -> Array:
    """Smooth noise in about [0, 1] whose features are ``cell`` pixels wide (``cell_y`` high)."""
    rows = max(2, round(height / (cell_y or cell)) + 1)
    columns = max(2, round(width / cell) + 1)
    grid = rng.random((rows, columns), dtype=np.float32)
    return np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC))


def fractal(rng: Generator, height: int, width: int, cell: float, octaves: int = 3) -> Array:
    """Sum of noises of halving size and weight, in about [0, 1]."""
    total = np.zeros((height, width), np.float32)
    weight = 0.0
    for octave in range(octaves):
        share = 0.5**octave
        total += share * noise(rng, height, width, max(cell * share, 1.5))
        weight += share
    return total / weight


def _grid(height: int, width: int) -> tuple[Array, Array]:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return y, x


def _blend(low: tuple, high: tuple, amount: Array) -> Array:
    amount = np.clip(amount, 0, 1)[..., None]
    return np.asarray(low, np.float32) * (1 - amount) + np.asarray(high, np.float32) * amount


def _cells(rng: Generator, height: int, width: int, cell: float) -> tuple[Array, Array, Array]:
    """Worley noise on a jittered grid: distance to the nearest and second point, in cells, and its tone."""
    y, x = _grid(height, width)
    y, x = y / cell, x / cell
    rows, columns = int(height / cell) + 4, int(width / cell) + 4
    points = rng.random((rows, columns, 2), dtype=np.float32) * 0.9
    tones = rng.random((rows, columns), dtype=np.float32)
    row, column = y.astype(int), x.astype(int)
    nearest = np.full((height, width), 9.0, np.float32)
    second, tone = nearest.copy(), np.zeros((height, width), np.float32)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            point = points[row + down + 1, column + right + 1]
            distance = np.hypot(row + down + point[..., 0] - y, column + right + point[..., 1] - x)
            closer = distance < nearest
            second = np.where(closer, nearest, np.minimum(second, distance))
            tone = np.where(closer, tones[row + down + 1, column + right + 1], tone)
            nearest = np.where(closer, distance, nearest)
    return nearest, second, tone


def _grass(rng: Generator, height: int, width: int) -> Array:
    blades = noise(rng, height, width, 2, rng.uniform(7, 12)) + 0.7 * noise(rng, height, width, 1.5, 5)
    patches = fractal(rng, height, width, 30, 2)
    image = _blend((0.10, 0.30, 0.06), (0.45, 0.68, 0.20), 0.55 * blades)
    return image + (patches[..., None] - 0.5) * np.array([0.25, 0.18, 0.02], np.float32)


def _sand(rng: Generator, height: int, width: int) -> Array:
    y, x = _grid(height, width)
    angle, period = rng.uniform(-0.5, 0.5), rng.uniform(9, 16)
    warp = 9 * fractal(rng, height, width, 30, 2)
    ripples = 0.5 + 0.5 * np.sin((y * np.cos(angle) + x * np.sin(angle) + warp) * 2 * np.pi / period)
    grains = rng.random((height, width), dtype=np.float32)
    return _blend((0.72, 0.58, 0.36), (0.94, 0.82, 0.58), 0.55 * ripples + 0.45 * grains)


def _sky(rng: Generator, height: int, width: int) -> Array:
    y, _ = _grid(height, width)
    image = _blend((0.22, 0.48, 0.85), (0.66, 0.84, 0.97), y / height)
    clouds = fractal(rng, height, width, rng.uniform(26, 44), 4)
    amount = np.clip((clouds - rng.uniform(0.48, 0.62)) * 5, 0, 0.95)[..., None]
    return image * (1 - amount) + amount * np.float32(0.97)


def _snow(rng: Generator, height: int, width: int) -> Array:
    drifts = fractal(rng, height, width, rng.uniform(24, 40), 3)
    image = _blend((0.74, 0.82, 0.93), (0.98, 0.99, 1.0), (drifts - 0.25) * 1.8)
    sparkle = rng.random((height, width)) > 0.985
    image[sparkle] = 1.0
    return image


def _water(rng: Generator, height: int, width: int) -> Array:
    y, _ = _grid(height, width)
    warp = 14 * fractal(rng, height, width, rng.uniform(18, 30), 2)
    waves = 0.5 + 0.5 * np.sin((y + warp) * 2 * np.pi / rng.uniform(7, 12))
    image = _blend((0.02, 0.26, 0.45), (0.16, 0.60, 0.72), 0.65 * waves + 0.35 * y / height)
    return image + np.clip(waves - 0.93, 0, 1)[..., None] * 4


def _wood(rng: Generator, height: int, width: int) -> Array:
    y, x = _grid(height, width)
    if rng.random() < 0.5:
        y, x = x, y
    plank_width = rng.uniform(16, 30)
    plank = (y / plank_width + rng.random()).astype(int)
    shift = rng.random(plank.max() + 2, dtype=np.float32)
    bend = noise(rng, height, width, 40)
    grain = 0.5 + 0.5 * np.sin((y * 1.0 + 12 * bend + 40 * shift[plank] + 0.05 * x) * rng.uniform(0.8, 1.3))
    image = _blend((0.36, 0.20, 0.09), (0.70, 0.46, 0.24), 0.55 * grain + 0.45 * shift[plank])
    seam = np.diff(plank, axis=0, prepend=plank[:1]) + np.diff(plank, axis=1, prepend=plank[:, :1])
    image[seam != 0] *= 0.45
    return image


def _brick(rng: Generator, height: int, width: int) -> Array:
    y, x = _grid(height, width)
    high = rng.uniform(9, 15)
    wide = high * rng.uniform(2.0, 2.6)
    y, x = y + rng.uniform(0, high), x + rng.uniform(0, wide)
    row = (y / high).astype(int)
    along = x / wide + 0.5 * (row % 2)
    column = along.astype(int)
    tone = rng.random((row.max() + 1, column.max() + 2), dtype=np.float32)[row, column]
    image = _blend(
        (0.52, 0.17, 0.12), (0.76, 0.36, 0.24), 0.7 * tone + 0.3 * fractal(rng, height, width, 6, 2)
    )
    mortar = (y % high < 1.6) | ((along % 1) * wide < 1.6)
    image[mortar] = np.array([0.76, 0.72, 0.66], np.float32)
    return image


def _gravel(rng: Generator, height: int, width: int) -> Array:
    nearest, second, tone = _cells(rng, height, width, rng.uniform(6, 10))
    image = _blend((0.34, 0.33, 0.32), (0.76, 0.73, 0.68), tone)
    return image * np.clip(0.35 + 2.2 * (second - nearest), 0.35, 1.05)[..., None]


def _marble(rng: Generator, height: int, width: int) -> Array:
    veins = np.abs(fractal(rng, height, width, rng.uniform(30, 50), 4) - 0.5)
    cloudy = fractal(rng, height, width, 24, 2)
    image = _blend((0.84, 0.82, 0.78), (0.97, 0.95, 0.92), cloudy)
    return image * (1 - 0.6 * np.exp(-veins * 40))[..., None]


def _lava(rng: Generator, height: int, width: int) -> Array:
    nearest, second, _ = _cells(rng, height, width, rng.uniform(18, 28))
    edge = second - nearest + 0.35 * (fractal(rng, height, width, 8, 2) - 0.5)
    crust = _blend((0.09, 0.06, 0.06), (0.26, 0.17, 0.15), fractal(rng, height, width, 7, 2))
    glow = np.exp(-np.clip(edge, 0, 2) * 9)[..., None]
    hot = _blend((0.85, 0.16, 0.02), (1.0, 0.80, 0.20), np.exp(-np.clip(edge, 0, 2) * 22))
    return crust * (1 - glow) + hot * glow


def _night(rng: Generator, height: int, width: int) -> Array:
    y, _ = _grid(height, width)
    haze = fractal(rng, height, width, 40, 3)
    image = _blend((0.02, 0.02, 0.10), (0.14, 0.12, 0.34), 0.6 * y / height + 0.5 * haze)
    stars = rng.random((height, width)) > rng.uniform(0.990, 0.996)
    image[stars] = rng.uniform(0.7, 1.0, (int(stars.sum()), 1))
    return image


def _rug(rng: Generator, height: int, width: int) -> Array:
    y, x = _grid(height, width)
    period = rng.uniform(14, 24)
    zigzag = np.abs((x % period) - period / 2)
    band = ((y + zigzag * rng.choice([0.0, 1.0, 1.0]) + rng.uniform(0, period)) / (period / 2)).astype(int)
    warm = np.array(
        [[0.62, 0.10, 0.18], [0.86, 0.72, 0.50], [0.18, 0.16, 0.38], [0.80, 0.46, 0.16]], np.float32
    )
    colours = np.clip(warm[rng.permutation(4)] + rng.normal(0, 0.05, (4, 3)), 0, 1).astype(np.float32)
    weave = 0.86 + 0.14 * ((x.astype(int) + y.astype(int)) % 2)
    return colours[band % int(rng.integers(2, 5))] * weave[..., None]


_CONTRAST = {"gravel": 0.6, "lava": 0.7, "marble": 0.75, "rug": 0.65, "water": 0.65}

_DRAW: dict[str, Callable[[Generator, int, int], Array]] = {
    "grass": _grass,
    "sand": _sand,
    "sky": _sky,
    "snow": _snow,
    "water": _water,
    "wood": _wood,
    "brick": _brick,
    "gravel": _gravel,
    "marble": _marble,
    "lava": _lava,
    "night": _night,
    "rug": _rug,
}
