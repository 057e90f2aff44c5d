"""Digests follow content, not order or place."""

import pytest

from backbones.digest import digest, folder_digest


def test_order_of_keys_does_not_matter_and_order_of_lists_does():
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest([1, 2]) != digest([2, 1])
    with pytest.raises(TypeError):
        digest({"a": object()})


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
