"""What decides a result."""

from __future__ import annotations

import os
import time

import pytest

from benchmark.suites.fingerprint import data_digest, newest_change
from common.errors import UserError


def test_data_digests_are_remembered_until_a_file_is_touched(tmp_path, monkeypatch):
    folder, results = tmp_path / "data" / "deep", tmp_path / "results"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text("1")
    first = data_digest(tmp_path / "data", results)
    calls = []
    monkeypatch.setattr(
        "benchmark.suites.fingerprint.folder_digest", lambda root: calls.append(root) or "fresh"
    )
    assert data_digest(tmp_path / "data", results) == first and not calls
    (folder / "a.json").write_text("2")
    os.utime(folder / "a.json", ns=(1, 2**62))
    assert data_digest(tmp_path / "data", results) == "fresh"
    (results / ".digests.json").write_text("{torn")
    assert data_digest(tmp_path / "data", results) == "fresh" and len(calls) == 2
    os.symlink(tmp_path / "data", folder / "loop")  # must end all the same
    os.symlink(tmp_path / "nothing", folder / "broken")
    assert data_digest(tmp_path / "data", results) == "fresh"
    with pytest.raises(UserError, match="does not exist"):
        data_digest(tmp_path / "nowhere", results)


def test_a_file_replaced_by_one_with_an_older_date_is_a_change(tmp_path):
    folder, results = tmp_path / "data", tmp_path / "results"
    folder.mkdir()
    (folder / "a.json").write_text("1")
    os.utime(folder / "a.json", (1, 1))
    first, before = data_digest(folder, results), newest_change(folder)
    time.sleep(0.05)
    (folder / "a.json").write_text("2")
    os.utime(folder / "a.json", (1, 1))
    assert data_digest(folder, results) != first and newest_change(folder) > before
    assert newest_change(folder / "a.json") == newest_change(folder)
    os.utime(folder / "a.json", (2**33, 2**33))
    assert newest_change(folder) <= time.time()
