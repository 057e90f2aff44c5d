"""Digests follow content, not order or place."""

import os
import time

import pytest

from common import digest as module
from common.digest import digest, file_digest, folder_digest


def test_order_of_keys_does_not_matter_and_order_of_lists_does():
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest([1, 2]) != digest([2, 1])
    with pytest.raises(TypeError):
        digest({"a": object()})


@pytest.fixture
def reads(monkeypatch):
    """How often a file's bytes are read."""
    count = []
    real = module.hashlib.sha256
    monkeypatch.setattr(module, "_READ", {})
    monkeypatch.setattr(module.hashlib, "sha256", lambda *a: count.append(1) or real(*a))
    return count


def test_a_file_that_lies_still_is_read_once(tmp_path, reads, monkeypatch):
    weights = tmp_path / "weights"
    weights.write_bytes(b"one")
    later = time.time_ns() + 10_000_000_000
    monkeypatch.setattr(module.time, "time_ns", lambda: later)
    first = file_digest(weights)
    assert file_digest(weights) == first and file_digest(tmp_path / "." / "weights") == first
    assert len(reads) == 1
    weights.write_bytes(b"two")
    os.utime(weights, ns=(later, later))
    assert file_digest(weights) != first and len(reads) == 2
    other = tmp_path / "other"
    other.write_bytes(b"one")
    os.replace(other, weights)
    assert file_digest(weights) == first and len(reads) == 3


def test_a_file_that_was_just_written_is_not_trusted_to_stay(tmp_path, reads):
    weights = tmp_path / "weights"
    seen = []
    for content in (b"one", b"two", b"six"):
        weights.write_bytes(content)
        seen.append(file_digest(weights))
    assert len(set(seen)) == 3 == len(reads) and module._READ == {}


def test_folder_digest_sees_names_sizes_annotations_and_linked_folders(tmp_path):
    real = tmp_path / "elsewhere"
    real.mkdir()
    (real / "1.jpg").write_bytes(b"12345")
    data = tmp_path / "data"
    data.mkdir()
    (data / "labels.json").write_text("[1]")
    (data / "train").symlink_to(real)
    seen = [folder_digest(data)]
    (real / "2.jpg").write_bytes(b"1")
    seen.append(folder_digest(data))
    (data / "labels.json").write_text("[2]")  # the same size
    seen.append(folder_digest(data))
    assert len(set(seen)) == 3
    moved = data.rename(tmp_path / "moved")
    assert folder_digest(moved) == seen[-1]
