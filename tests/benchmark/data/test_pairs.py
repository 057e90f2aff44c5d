"""Image–text pairs: what is wrong with their shards and labels, in one line."""

import io
import shutil
import tarfile

import pytest
from PIL import Image

from benchmark.data.pairs import Pairs
from common.errors import UserError
from pretraining.labels.sidecars import sidecar_path


def message(path):
    with pytest.raises(UserError) as caught:
        Pairs().check(path)
    text = str(caught.value)
    assert "\n" not in text and str(path) in text
    return text


def write_shard(path, *samples):
    """A shard of (caption, picture) pairs; None stands for a sound one."""
    sound = io.BytesIO()
    Image.new("RGB", (4, 4)).save(sound, "png")
    with tarfile.open(path, "w") as tar:
        for number, (caption, picture) in enumerate(samples):
            for ending, content in (("txt", caption or b"a dog"), ("png", picture or sound.getvalue())):
                info = tarfile.TarInfo(f"{number:04}.{ending}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


def test_sound_pairs_are_summed_up(pairs):
    report = Pairs().check(pairs)
    expected = f"{pairs}: image–text pairs, shards: train 4, val 1 (112 samples opened)"
    assert report.summary == expected and report.warnings == ()


def test_shards_may_lie_in_one_folder(pairs):
    assert "train 4, val 0" in Pairs().check(pairs / "train").summary


def test_missing_labels_are_a_warning_that_names_the_command(pairs):
    (pairs / "vocabulary.csv").unlink()
    assert "vocabulary.csv is missing" in Pairs().check(pairs).warnings[0]
    sidecar_path(pairs / "train" / "00001.tar").unlink()
    (warning,) = Pairs().check(pairs).warnings
    assert "1 of 5 shards have no labels" in warning and f"label {pairs / 'train'}" in warning
    write_shard(pairs / "train" / "00002.tar", (b"a horse", None))  # labelled, but not these
    assert "2 of 5 shards" in Pairs().check(pairs).warnings[0]


def test_some_samples_that_cannot_be_read_are_a_warning(pairs):
    shard = write_shard(pairs / "train" / "00000.tar", (None, None), (b"\xff", None), (None, b"no picture"))
    warnings = Pairs().check(pairs).warnings
    assert warnings[0].startswith(f"2 of 91 samples cannot be read: {shard}:0001 (")


def test_shards_that_cannot_be_read_are_named(pairs, tmp_path):
    assert "does not exist" in message(tmp_path / "nowhere")
    assert f"did you mean {pairs}?" in message(pairs.parent)
    shard = pairs / "train" / "00003.tar"
    content = shard.read_bytes()
    shard.write_bytes(content[: len(content) // 2 + 100])
    assert f"{shard} cannot be read" in message(pairs)
    write_shard(shard, (b"\xff", None))
    assert "none of its first 1 samples can be read" in message(pairs)
    shard.write_text("this is no tar file")
    assert f"{shard} is no tar file" in message(pairs)
    write_shard(shard)
    assert f"{shard} is empty" in message(pairs)
    for split in ("train", "val"):
        shutil.rmtree(pairs / split)
    assert "no shards" in message(pairs)
