"""Names of the classes of dense data sets, read from the data themselves. Light: no torch."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from common.errors import UserError

KINDS = ("thing", "stuff")


def coco_categories(annotations: Path) -> list[str]:
    """Names of the categories in the order of the file, which is the order MMDetection numbers them in.

    Raises:
        UserError: the file is missing or no COCO annotation file.
    """
    try:
        content = json.loads(Path(annotations).read_text(encoding="utf-8"))
        return [category["name"] for category in content["categories"]]
    except FileNotFoundError:
        raise UserError(
            f"{annotations} does not exist: give the folder that holds annotations/ with --data NAME=PATH"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{annotations} is no COCO annotation file ({type(error).__name__}: {error})"
        ) from None


def ade20k_classes(root: Path) -> list[str] | None:
    """Names of classes 1, 2, ... from ``classes.csv`` (index,name); None where ADE20K's own 150 are meant.

    Raises:
        UserError: the file does not number its classes 1, 2, ..., or names a kind that is none.
    """
    rows = _ade20k_rows(root)
    return rows and [row["name"] for row in rows]


def ade20k_kinds(root: Path) -> list[str] | None:
    """Kinds of classes 1, 2, ...: each ``thing`` or ``stuff``, as in COCO panoptic.

    Returns:
        The optional third column of ``classes.csv`` (index,name,kind); None without the file or the column.

    Raises:
        UserError: as `ade20k_classes`.
    """
    rows = _ade20k_rows(root)
    return [row["kind"] for row in rows] if rows and "kind" in rows[0] else None


def _ade20k_rows(root: Path) -> list[dict[str, str]] | None:
    file = Path(root) / "classes.csv"
    if not file.is_file():
        return None
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            rows = {int(row["index"]): row for row in csv.DictReader(stream) if row["name"] is not None}
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{file} cannot be read as index,name ({type(error).__name__}: {error})") from None
    rows.pop(0, None)
    if sorted(rows) != list(range(1, len(rows) + 1)) or not rows:
        raise UserError(f"{file} must number its classes 1, 2, ... (0 is other)")
    ordered = [rows[index] for index in sorted(rows)]
    for row in ordered:
        if row.get("kind", KINDS[0]) not in KINDS:
            raise UserError(f"{file}: class {row['name']!r} is of kind {row['kind']!r}: give thing or stuff")
    return ordered
