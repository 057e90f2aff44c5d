"""Atomic writing and progress files."""

from __future__ import annotations

import json
import os
import stat

import pytest

from common.errors import one_line
from common.files import read_json, replacing, tail, write_json, write_text
from common.progress import Progress, ProgressFile, clock, read_progress


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


def test_progress_passes_through_its_file(tmp_path):
    path = tmp_path / "progress.json"
    report = ProgressFile(path, interval=3600)
    report("train", 1, 4, loss=0.5)
    report("train", 2, 4, loss=float("nan"))  # too soon to be written
    assert read_progress(path).done == 1
    report("train", 4, 4, loss=float("nan"))  # the end always is
    state = read_progress(path)
    assert (state.done, state.loss) == (4, None)
    report("test", 0, 2)
    assert read_progress(path).stage == "test"
    report.clear()
    report.clear()
    assert read_progress(path) is None
    path.write_text(json.dumps({"done": 5, "total": 9, "seconds_left": 61.0, "something_new": 1}))
    assert read_progress(path).text() == "training 5/9, 1:01 left"
    path.write_text("[]")
    assert read_progress(path) is None


def test_progress_texts():
    assert (
        Progress("train", 3, 10, 1.5, 200.0, 42).text() == "train 3/10, loss 1.500, 200 images/s, 0:42 left"
    )
    assert Progress("starting").text() == "starting"
    assert [clock(s) for s in (-1, 59.7, 3600 * 2 + 61)] == ["0:00", "1:00", "2:01:01"]


def test_one_line():
    worker = (
        "Caught UserError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n  x\n"
    )
    assert one_line(ValueError(worker + "common.errors.UserError: a.tar: it is torn")) == "a.tar: it is torn"
    assert one_line(ValueError("a\n b")) == "a b"
    assert one_line(KeyboardInterrupt()) == "KeyboardInterrupt"
