"""Shards: found, split, and read one sample at a time."""

import subprocess
import sys

import pytest

from common.errors import UserError
from pretraining.data.shards import caption_of, pair_splits


def names(shards):
    return [f"{shard.parent.name}/{shard.name}" for shard in shards]


def test_a_folder_is_split_into_training_and_validation(pairs):
    train, val = pair_splits(pairs)
    assert names(train) == [f"train/0000{number}.tar" for number in range(4)]
    assert names(val) == ["val/00000.tar"]


def test_a_folder_without_splits_is_all_training(pairs):
    train, val = pair_splits(pairs / "train")
    assert len(train) == 4 and val == []
    (pairs / "val").rename(pairs / "other")
    assert [len(split) for split in pair_splits(pairs)] == [4, 0]


def test_missing_and_empty_folders_say_what_to_do(pairs, tmp_path):
    with pytest.raises(UserError, match="--data pairs=PATH"):
        pair_splits(tmp_path / "nowhere")
    for folder in (tmp_path / "empty", pairs / "val", pairs / "train"):
        folder.mkdir(exist_ok=True)
        for shard in folder.glob("*.tar"):
            shard.unlink()
        with pytest.raises(UserError, match=rf"{folder} holds no \.tar shard"):
            pair_splits(folder if folder.name == "empty" else pairs)


def test_finding_shards_needs_no_torch(pairs):
    code = (
        "import sys; from pretraining.data.shards import pair_splits; "
        f"pair_splits({str(pairs)!r}); assert not {{'torch', 'PIL'}} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_captions_come_from_text_or_json():
    assert caption_of({"txt": b"a dog", "json": b'{"caption": "a cat"}'}) == "a dog"
    assert caption_of({"json": b'{"caption": "a cat"}'}) == "a cat"
    for bad in ({}, {"json": b'{"caption": 3}'}, {"json": b"{"}, {"txt": b"\xff"}):
        with pytest.raises(ValueError):
            caption_of(bad)
