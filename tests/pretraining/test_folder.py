"""Whose a pre-training's folder is."""

import pytest

from pretraining import folder


def test_a_fresh_training_folder_is_claimed_from_its_first_moment(tmp_path, monkeypatch):
    def killed(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(folder, "write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            folder.claim(tmp_path / "out", "this")
    assert not list((tmp_path / "out").iterdir())
    training = folder.claim(tmp_path / "out", "this")
    assert folder.claim(tmp_path / "out", "this") == training  # as a second process would
    (training / "iter_4.pth").write_bytes(b"large")
    (training / "notes.txt").write_text("mine")
    folder.claim(tmp_path / "out", "another")
    assert not (training / "iter_4.pth").exists() and not (training / "notes.txt").exists()
    kept = tmp_path / "out" / ".superseded" / "1" / "training"
    assert (kept / "notes.txt").read_text() == "mine" and not (kept / "iter_4.pth").exists()
