"""What a terminal makes of text."""

from __future__ import annotations


def one_line(text: str) -> bool:
    """Whether a terminal shows this as a single line, whatever it is."""
    return text.count("\n") == 1 and text.endswith("\n") and text.rstrip("\n").isprintable()
