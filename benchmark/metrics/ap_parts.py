"""What the interval of a cell's AP is made of, kept in the cell's folder for comparisons."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from benchmark.statistics.precision import Parts
from common.files import replacing

FILE = "ap_parts.{kind}.npz"


def write_parts(folder: Path, kind: str, parts: Parts) -> Path:
    """Write a cell's parts, all or nothing.

    Args:
        kind: ``bbox`` or ``segm``.
    """
    file = Path(folder) / FILE.format(kind=kind)
    arrays = {f"parts_{number}": table for number, table in parts.parts.items()}
    with replacing(file) as temporary:
        np.savez_compressed(temporary, full=parts.full, objects=parts.objects, **arrays)
    return file


def read_parts(folder: Path, kind: str) -> Parts | None:
    """What `write_parts` wrote; None where it is missing or torn."""
    try:
        with np.load(Path(folder) / FILE.format(kind=kind), allow_pickle=False) as stored:
            parts = {int(key.rpartition("_")[2]): stored[key] for key in stored if key.startswith("parts_")}
            return Parts(stored["full"], parts, stored["objects"])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
