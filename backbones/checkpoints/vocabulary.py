"""The csv that says which synset each row of a pre-trained classifier is. Light: no torch."""

from __future__ import annotations

import csv
from pathlib import Path

from common.errors import UserError


def read_synsets(path: Path) -> tuple[int, ...]:
    """WordNet 3.0 noun offsets, in the order of the classifier's rows.

    Args:
        path: a vocabulary.csv (``synset,name,count``).

    Raises:
        UserError: it cannot be read, or has no column of numbers called synset.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return tuple(int(row["synset"]) for row in csv.DictReader(file))
    except (OSError, KeyError, ValueError, TypeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as a vocabulary ({error}): pre-train again") from None
