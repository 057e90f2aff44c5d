"""Pictures of strangers: the one way to Pillow's decoders, and to those alone that start no program."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import first_line

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
"""What Pillow may take a file for, whatever its name says (JPEG covers phones' MPO).

For a renamed EPS, say, it would start Ghostscript.
"""


class BadPicture(ValueError):
    """A picture that cannot be read; the message says why, and not which."""


@contextmanager
def opened(source: Path | bytes, formats: tuple[str, ...] = FORMATS) -> Iterator[Image]:
    """A picture, not decoded yet; decode it in the block.

    Args:
        source: a file, or what one holds.
        formats: what it may be, some of `FORMATS`.

    Raises:
        BadPicture: anything that went wrong in the block: a decoder given a broken file can fail in any way.
    """
    from PIL import Image

    try:
        with Image.open(
            io.BytesIO(source) if isinstance(source, bytes) else source, formats=formats
        ) as image:
            yield image
    except BadPicture:
        raise
    except Image.UnidentifiedImageError:
        raise BadPicture(f"cannot identify it: none of {', '.join(formats)}, or damaged") from None
    except Exception as error:
        raise BadPicture(first_line(error)) from None
