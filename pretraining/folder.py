"""The folder of a pre-training: what is in the making, what is finished, what is somebody else's.

``training/`` holds all that is in the making. What is finished stands beside it and is replaced whole, when
the next result is complete; what was there is moved to ``.superseded/``, never removed. ``kept/<samples>/``
are the checkpoints of the way. Light: no torch.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from common.errors import UserError
from common.files import read_json, umask, write_json
from common.locks import FolderLock

PROGRESS = Path("training", "progress.json")
"""Where a running pre-training tells how far it is, below its folder."""

_FINGERPRINT = "fingerprint.json"
_SUPERSEDED = ".superseded"
_KEPT = "kept"
_FINISHED = (
    *("backbone.json", "weights.safetensors", "text.json", "text.safetensors", "vocabulary.csv"),
    "history.csv",
)  # in order of removal


def training_folder(out: Path) -> Path:
    """Where all that is in the making stands."""
    return Path(out) / "training"


def kept_folder(out: Path, samples: int) -> Path:
    """Where the checkpoint stands that a run keeps after so many samples (an entry of its ``keep``).

    Args:
        out: the run's folder, or its ``training/`` while it is in the making.
    """
    return Path(out) / _KEPT / str(samples)


def is_checkpoint(folder: Path, fingerprint: str) -> bool:
    """Whether a folder is a whole checkpoint of the run with this fingerprint."""
    description = read_json(Path(folder) / "backbone.json")
    same = isinstance(description, dict) and description.get("fingerprint") == fingerprint
    return same and (Path(folder) / "weights.safetensors").is_file()


@contextmanager
def keeping(training: Path, samples: int) -> Iterator[Path]:
    """A folder to write a kept checkpoint into, which is put in its place when the block succeeds.

    One that is there is replaced: a resumed run comes by its place again.
    """
    place = kept_folder(training, samples)
    place.parent.mkdir(exist_ok=True)
    written = Path(tempfile.mkdtemp(prefix=f".{samples}.", dir=place.parent))
    try:
        yield written
        written.chmod(0o777 & ~umask())
        shutil.rmtree(place, ignore_errors=True)
        os.rename(written, place)
    finally:
        shutil.rmtree(written, ignore_errors=True)


@contextmanager
def held(out: Path) -> Iterator[None]:
    """Keep other processes from pre-training into a folder during the block.

    Raises:
        UserError: one is at it.
    """
    lock = FolderLock(training_folder(out))
    if not lock.acquire():
        raise UserError(f"{out}: {lock.holder()} is at it: wait for its end, or name another --out folder")
    os.register_at_fork(
        after_in_child=lock.release
    )  # loaders live on for seconds when this process is killed
    try:
        yield
    finally:
        lock.release()


def claim(out: Path, fingerprint: str) -> Path:
    """The folder ``training/`` for a run with this fingerprint, made or taken up where a killed run left it.

    A training of another recipe or other data is moved aside, so that nothing is resumed from it. The folder
    must be `held`.

    Raises:
        UserError: ``training/`` holds what no pre-training wrote.
    """
    training = training_folder(out)
    owner = read_json(training / _FINGERPRINT)
    if owner is not None and owner != fingerprint:
        for checkpoint in training.glob("iter_*.pth"):  # unfinished, and by far the largest files
            if checkpoint.is_file():
                checkpoint.unlink()
        _set_aside(out, [training])
        owner = None
    if owner is None:
        # put in place with its fingerprint, so that no moment leaves a folder that nobody seems to have made
        Path(out).mkdir(parents=True, exist_ok=True)
        claimed = Path(tempfile.mkdtemp(prefix=".training.", dir=out))
        try:
            write_json(claimed / _FINGERPRINT, fingerprint)
            claimed.chmod(0o777 & ~umask())
            with suppress(OSError):  # it is there and not empty
                os.rename(claimed, training)
        finally:
            shutil.rmtree(claimed, ignore_errors=True)
        if (
            read_json(training / _FINGERPRINT) != fingerprint
        ):  # which another process of this run may have written
            raise UserError(
                f"{training} was not made by a pre-training: move it away, or name another --out folder"
            )
    return training


def collect(training: Path) -> Path:
    """An empty folder in ``training/`` for the files of a complete result, before they are published."""
    finished = Path(training) / "finished"
    shutil.rmtree(finished, ignore_errors=True)
    finished.mkdir()
    return finished


def publish(finished: Path, out: Path) -> None:
    """Put the files of a complete result into `out`, and move aside what has their names there.

    backbone.json goes first and comes last: where it is, everything it speaks of is. The checkpoints of the
    way follow: whoever is killed before them finds them in ``training/`` when the result is published again.
    """
    _set_aside(out, [Path(out) / name for name in (*_FINISHED, _KEPT)])
    for name in reversed(_FINISHED):
        if (Path(finished) / name).exists():
            os.replace(Path(finished) / name, Path(out) / name)
    kept = Path(finished).parent / _KEPT
    if kept.is_dir():
        for partial in kept.glob(".*"):  # of a process that was killed while it wrote
            shutil.rmtree(partial)
        os.rename(kept, Path(out) / _KEPT)
    shutil.rmtree(finished)


def _set_aside(out: Path, paths: list[Path]) -> None:
    paths = [path for path in paths if path.exists()]
    if not paths:
        return
    superseded = Path(out) / _SUPERSEDED
    superseded.mkdir(exist_ok=True)
    target = superseded / str(
        1 + max((int(p.name) for p in superseded.iterdir() if p.name.isdecimal()), default=0)
    )
    target.mkdir()
    for path in paths:
        os.rename(path, target / path.name)
