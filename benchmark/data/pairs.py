"""Image–text pairs: WebDataset shards as img2dataset writes them, in ``train/`` and ``val/`` or all in one
folder.
"""

from __future__ import annotations

import tarfile
from itertools import islice
from pathlib import Path

from benchmark.data.base import DataCheck, DataLayout, entries, evenly
from common.errors import UserError, first_line

OPENED_SHARDS, OPENED_SAMPLES = 16, 64
"""Shards whose contents a check looks at, and samples of each, at most."""


class Pairs(DataLayout):
    """Labels beside the shards and ``vocabulary.csv`` are made from them: CatLIP needs both, CLIP none."""

    name = "pairs"
    holds = "train/*.tar and val/*.tar, or *.tar (WebDataset)"

    def glance(self, path: Path) -> str | None:
        folders = (path / "train", path)
        if any(entry.suffix == ".tar" for folder in folders for entry in entries(folder)):
            return None
        return "no train/*.tar or *.tar (WebDataset)"

    def check(self, path: Path, thorough: bool = False) -> DataCheck:
        """Every shard must be a tar file. Of up to `OPENED_SHARDS`, evenly chosen, captions and pictures must
        be readable; a few that are not are a warning, because pre-training leaves them out.
        """
        path = self.folder(path)
        train, val = _splits(path)
        shards = [*train, *val]
        for shard in shards:
            _open(shard)
        opened, broken = 0, []
        for index in evenly(len(shards), len(shards) if thorough else OPENED_SHARDS):
            number, problems = _read_some(shards[index], None if thorough else OPENED_SAMPLES)
            opened += number
            broken += problems
        warnings = [f"{len(broken)} of {opened} samples cannot be read: {broken[0]}"] if broken else []
        warnings += _missing_labels(path, train, val)
        counts = f"shards: train {len(train)}, val {len(val)}"
        return DataCheck(f"{path}: image–text pairs, {counts} ({opened} samples opened)", tuple(warnings))


def _splits(folder: Path) -> tuple[list[Path], list[Path]]:
    """The shards of training and of validation."""
    train = sorted((folder / "train").glob("*.tar")) or sorted(folder.glob("*.tar"))
    if not train:
        raise UserError(f"{folder} holds no shards: expected train/*.tar or *.tar (WebDataset)")
    return train, sorted((folder / "val").glob("*.tar"))


def _open(shard: Path) -> None:
    try:
        with tarfile.open(shard) as tar:
            first = tar.next()
    except (OSError, tarfile.TarError) as error:
        reason = str(error).splitlines()[0].rstrip(":")
        raise UserError(f"{shard} is no tar file that can be read ({reason}): download it again") from None
    if first is None:
        raise UserError(f"{shard} is empty: download it again or remove it")


def _read_some(shard: Path, most: int | None) -> tuple[int, list[str]]:
    """Number of samples tried, and what is wrong with them.

    Raises:
        UserError: the shard is cut off, or none of its samples can be read.
    """
    from pretraining.data.shards import caption_of, decode_image, raw_samples

    def refuse(error: Exception) -> bool:
        raise UserError(f"{shard} cannot be read ({error}): download it again")

    try:
        with tarfile.open(shard) as tar:
            tar.getmembers()  # walks to the end
    except (OSError, tarfile.TarError) as error:
        refuse(error)
    number, problems = 0, []
    for sample in islice(raw_samples([shard], refuse), most):
        number += 1
        try:
            caption_of(sample)
            decode_image(sample)
        except Exception as error:  # a decoder given a broken file can fail in any way
            problems.append(f"{shard}:{sample['__key__']} ({first_line(error)})")
    if number == len(problems):
        raise UserError(
            f"{shard}: none of its first {number} samples can be read; a sample is a .jpg, .png or .webp "
            "beside a .txt or .json caption of the same name"
        )
    return number, problems


def _missing_labels(path: Path, train: list[Path], val: list[Path]) -> list[str]:
    from pretraining.labels.sidecars import check_sidecar

    missing = []
    for folder, shards in ((train[0].parent, train), (path / "val", val)):
        for shard in shards:
            try:
                check_sidecar(shard, folder=folder)
            except UserError as error:
                missing.append(str(error))
    if missing:
        return [f"{len(missing)} of {len(train) + len(val)} shards have no labels for CatLIP: {missing[0]}"]
    if not (path / "vocabulary.csv").is_file():
        return [f"{path / 'vocabulary.csv'} is missing: count it with `python run_suite.py vocabulary`"]
    return []
