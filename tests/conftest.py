"""Small data that several tests draw."""

import io
import os
import signal
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)
# A shell ignores Ctrl-C for what it runs in the background, and every process we start would inherit that:
# the tests that stop one with SIGINT would then fail for no fault of the suite.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked `gpu` are for machines that have one (`make gpu-check`)."""
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="there is no GPU"))


NOUNS = ("dog", "cat", "horse", "tree")


def tar_member(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def draw_shard(path: Path, first: int, count: int) -> Path:
    """A shard of squares whose colour goes with the caption's noun."""
    rng = np.random.default_rng(first)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for number in range(first, first + count):
            kind = number % len(NOUNS)
            pixels = rng.integers(0, 80, (48, 48, 3), dtype=np.uint8)
            pixels[8:40, 8:40, kind % 3] += np.uint8(100 + 20 * kind)
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "png")
            tar_member(tar, f"{number:06d}.png", buffer.getvalue())
            tar_member(tar, f"{number:06d}.txt", f"a {NOUNS[kind]} number {number}".encode())
    return path


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Labelled pairs: ``train/`` of four shards, ``val/`` of one, ``vocabulary.csv``."""
    from pretraining.labels.sidecars import label_shards, sidecar_path
    from pretraining.labels.vocabulary import Vocabulary

    root = tmp_path / "pairs"
    train = [draw_shard(root / "train" / f"{i:05d}.tar", 24 * i, 24) for i in range(4)]
    val = [draw_shard(root / "val" / "00000.tar", 1000, 16)]
    label_shards([*train, *val], workers=1)
    Vocabulary.count([sidecar_path(shard) for shard in train], min_count=2).save(root / "vocabulary.csv")
    return root


@pytest.fixture
def one_thread():
    """For models that are too small for two."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
