"""Tables for a paper: a booktabs ``tabular`` without caption or label, to be read in with \\input."""

from __future__ import annotations

import re

_SPECIAL = {
    **{character: f"\\{character}" for character in "%_&#${}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "`": r"\textasciigrave{}",
    '"': "''",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",  # after the end of a line a bare one starts an argument
    "–": "--",
    "—": "---",
    "±": r"$\pm$",
    "×": r"$\times$",
    "−": "$-$",
    "∞": r"$\infty$",
    "≥": r"$\ge$",
    "≤": r"$\le$",
}
_LETTERS = 0x17F
"""The last character of Latin Extended-A: letters up to here every LaTeX sets from UTF-8."""


def tabular(header: list[str], lines: list[list[str]], names: int, comment: str) -> str:
    """Cells as a table that compiles inside a document which uses booktabs.

    Args:
        header, lines: cells, as text.
        names: how many columns from the left are no numbers.
        comment: what made it, for the first line.
    """
    columns = "l" * names + "r" * (len(header) - names)
    rows = [" & ".join(map(escape, line)) + r" \\" for line in (header, *lines)]
    parts = [
        f"% {' '.join(comment.split())}",
        r"% needs \usepackage{booktabs}",
        rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}",
        r"\toprule",
        rows[0],
        r"\midrule",
        *rows[1:],
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Text as LaTeX shows it unchanged, powers of ten as such; a letter it may lack as its code point."""
    text = "".join(map(_shown, " ".join(str(text).split())))
    return re.sub(r"\b(\d+(?:\.\d+)?)e([+-])0*(\d+)\b", _power, text)


def _shown(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    known = character.isprintable() and ord(character) <= _LETTERS
    return character if known else f"U+{ord(character):04X}"


def _power(found: re.Match[str]) -> str:
    sign = found[2].strip("+")
    return rf"${found[1]} \times 10^{{{sign}{found[3]}}}$"
