"""Atomic writing, and reading what may be damaged."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from common import PROJECT
from common.files import placed, read_json, replacing, tail, write_json, write_text


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "record.json"
    write_text(path, "old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_reader_sees_the_old_or_the_new_file(tmp_path):
    path = tmp_path / "deep" / "record.json"
    write_text(path, "old")
    with path.open() as reader:
        with replacing(path) as temporary:
            assert temporary.suffix == ".json" and temporary.parent == path.parent
            temporary.write_text("new")
            assert path.read_text() == "old"
        assert reader.read() == "old"
    assert path.read_text() == "new"


def test_written_files_are_as_readable_as_any(tmp_path):
    before = os.umask(0o022)
    try:
        write_text(tmp_path / "a", "")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644


def test_json(tmp_path):
    write_json(tmp_path / "a.json", {"b": [1]})
    assert read_json(tmp_path / "a.json") == {"b": [1]}
    assert read_json(tmp_path / "none.json") is None
    (tmp_path / "torn.json").write_text("{")
    assert read_json(tmp_path / "torn.json") is None


def test_tail(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"first\n\n" + b"x" * 100_000 + b"\nsecond \nlast \xff\n")
    assert tail(log, 2) == ["second", "last \ufffd"]
    assert tail(log, 9, start=log.stat().st_size) == []


def test_what_is_not_here_is_looked_for_in_the_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert placed("task_configs/suites") == PROJECT / "task_configs" / "suites"
    (tmp_path / "task_configs" / "suites").mkdir(parents=True)
    assert placed("task_configs/suites") == Path("task_configs/suites")
    assert placed("nowhere") == Path("nowhere") and placed(tmp_path) == tmp_path
