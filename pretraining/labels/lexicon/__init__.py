"""WordNet 3.0's nouns as two small tables: ``compile`` makes them, ``labels.synsets`` reads them."""

from __future__ import annotations

import lzma
from pathlib import Path

FORMAT = "WordNet 3.0 nouns, format 1 (see compile.py; licence: LICENSE)"
NOUNS = "nouns.txt.xz"
HYPERNYMS = "hypernyms.txt.xz"


def read_table(name: str) -> str:
    """The text of one of the tables."""
    return lzma.decompress((Path(__file__).parent / name).read_bytes()).decode("ascii")
