"""Names of the classes of dense data sets, read from the data themselves. Light: no torch."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from backbones.errors import UserError


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
        UserError: the file does not number its classes 1, 2, ...
    """
    file = Path(root) / "classes.csv"
    if not file.is_file():
        return None
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            names = {int(row["index"]): row["name"] for row in csv.DictReader(stream)}
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{file} cannot be read as index,name ({type(error).__name__}: {error})") from None
    names.pop(0, None)
    if sorted(names) != list(range(1, len(names) + 1)) or not names:
        raise UserError(f"{file} must number its classes 1, 2, ... (0 is other)")
    return [names[index] for index in sorted(names)]
