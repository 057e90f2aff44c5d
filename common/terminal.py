"""Text on a terminal: none of it steers the terminal, and none of it is too much for its characters."""

from __future__ import annotations

import codecs
import re
import sys
from typing import TextIO

_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters but tab and line feed, those that turn the direction of writing, and bytes that were no
UTF-8."""

_LOOKALIKES = {
    **dict.fromkeys("–—−‐‑─━", "-"),
    **dict.fromkeys("│┃", "|"),
    **dict.fromkeys("‘’", "'"),
    **dict.fromkeys("“”", '"'),
    **{"±": "+-", "×": "x", "→": "->", "…": "...", "≥": ">=", "≤": "<=", "•": "*", "·": ".", "∞": "inf"},
}
"""What stands for characters of ours where a terminal lacks them."""


def printable(text: object) -> str:
    """Text as a terminal may be given it: what would steer it is shown as an escape, ``\\x1b``."""
    return _STEERING.sub(lambda found: _escaped(found[0]), str(text))


def prepare(*streams: TextIO) -> None:
    """Let streams show whatever they are given, with lookalikes or escapes for what their encoding lacks.

    Args:
        streams: by default those of this process.
    """
    codecs.register_error("lookalike", _lookalike)
    for stream in streams or (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="lookalike")


def _lookalike(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return "".join(_LOOKALIKES.get(character) or _escaped(character) for character in wrong), error.end


def _escaped(character: str) -> str:
    return (
        character.encode("ascii", "backslashreplace").decode()
        if ord(character) > 127
        else (f"\\x{ord(character):02x}")
    )
