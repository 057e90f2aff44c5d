"""Sidecars: what is written, when it is written again, and what bad input does not destroy."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from common.errors import UserError
from pretraining.labels import sidecars as labelling
from pretraining.labels.sidecars import (
    find_sidecars,
    label_shards,
    read_facts,
    read_sidecar,
    sidecar_path,
)
from pretraining.labels.sources import read_captions, stem_of
from pretraining.labels.synsets import label

Files = list[tuple[str, bytes]]


def write_tar(path: Path, files: Files) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def pairs(captions: list[str], first: int = 0) -> Files:
    files = []
    for number, caption in enumerate(captions, first):
        files += [(f"{number:05d}.jpg", b"x" * 700), (f"{number:05d}.txt", caption.encode())]
    return files


def shard(path: Path, *captions: str) -> Path:
    return write_tar(path, pairs(list(captions)))


def test_labels_of_a_shard(tmp_path: Path) -> None:
    path = shard(
        tmp_path / "00000.tar", "a dog and a Cat.", "the of", "red%20house & dog dogs", "wug wug blick"
    )
    seen = []
    summary = label_shards([path], report=lambda *state: seen.append(state))
    assert read_sidecar(path) == {
        "00000": label("dog cat"),
        "00001": (),
        "00002": label("red house dog"),
        "00003": (),
    }
    assert seen == [(f"{summary.pace}files", 1, 1)] and "captions/s" in summary.pace
    assert summary.labelled_now == 4
    assert (summary.captions, summary.unlabelled, summary.labels, summary.bad, summary.reused) == (
        4,
        2,
        5,
        0,
        0,
    )
    assert summary.labels_per_caption == 1.25
    assert dict(summary.unknown) == {"wug": 2, "blick": 1}
    assert "50.0%" in summary.lines()[1] and "wug (2), blick (1)" in summary.lines()[2]
    table = pyarrow.parquet.read_table(sidecar_path(path))
    assert table.schema.field("key").type == pyarrow.string()
    assert table.schema.field("synsets").type == pyarrow.list_(pyarrow.int32())
    assert sorted(tmp_path.iterdir()) == [sidecar_path(path), path]


def test_text_goes_before_json_and_keys_are_webdatasets(tmp_path: Path) -> None:
    path = write_tar(
        tmp_path / "s.tar",
        [
            ("./a/1.json", json.dumps({"caption": "a cat"}).encode()),
            ("./a/1.txt", b"a dog"),
            ("./a/2.0.jpg", b""),
            ("./a/2.JSON", json.dumps({"caption": "a cat", "key": 3}).encode()),
            ("./__meta__.json", b"{}"),
            ("./a/._1.txt", b"left by a file browser"),
            ("./a/README", b""),
        ],
    )
    assert list(read_captions(path)) == [("./a/1", "a dog", None), ("./a/2", "a cat", None)]


def test_bad_samples_are_skipped_counted_and_named(tmp_path: Path) -> None:
    path = write_tar(
        tmp_path / "00000.tar",
        [
            ("1.txt", b"a dog"),
            ("2.txt", b"\xff\xfe dog"),
            ("3.jpg", b""),
            ("4.json", b"{broken"),
            ("5.json", json.dumps({"caption": 5}).encode()),
            ("6.json", json.dumps({"caption": None}).encode()),
            ("7.json", json.dumps(["a dog"]).encode()),
            ("8.json", b"[" * 100_000),
            ("9.json", b'"\xff"'),
            ("n\udcff.txt", b"a dog"),
            ("z.txt", b""),
        ],
    )
    summary = label_shards([path])
    assert read_sidecar(path) == {"1": label("dog"), "z": ()}
    assert (summary.captions, summary.bad) == (2, 9)
    named = "\n".join(summary.problems)
    for problem in (
        f"{path}: 2: its caption is not UTF-8",
        "3: no .txt and no .json",
        "4: its JSON cannot be read",
        "5: its caption is a int, not text",
        "6: no caption",
        "7: its JSON is not an object",
        "8: its JSON cannot be read",
        "n\\udcff: its name is not UTF-8",
    ):
        assert problem in named
    assert "9 samples skipped" in "\n".join(summary.lines())


def test_many_bad_samples_are_not_all_named(tmp_path: Path) -> None:
    paths = [
        write_tar(tmp_path / f"{n}.tar", [("ok.txt", b"dog")] + [(f"{k}.txt", b"\xff") for k in range(15)])
        for n in range(2)
    ]
    summary = label_shards(paths)
    assert summary.bad == 30 and len(summary.problems) == 20
    assert summary.lines()[-1] == "  and 10 more"


def test_a_second_run_writes_nothing(tmp_path: Path) -> None:
    paths = [shard(tmp_path / f"{n}.tar", "a dog", "wug") for n in range(2)]
    first = label_shards(paths)
    before = [sidecar_path(path).stat().st_mtime_ns for path in paths]
    second = label_shards([*paths, sidecar_path(paths[0])])  # as a wildcard of the shell would give them
    assert [sidecar_path(path).stat().st_mtime_ns for path in paths] == before
    assert (second.reused, second.captions, second.labels) == (2, first.captions, first.labels)
    assert (first.labelled_now, second.labelled_now) == (first.captions, 0) and second.pace == ""
    assert second.unknown == first.unknown


def test_a_touched_shard_keeps_its_labels_and_a_changed_one_does_not(tmp_path: Path) -> None:
    path = shard(tmp_path / "0.tar", "a dog")
    label_shards([path])
    os.utime(path, ns=(1, 1))
    assert label_shards([path]).reused == 1
    shard(path, "a cat")  # of the same size
    os.utime(path, ns=(2, 2))
    with pytest.raises(
        UserError, match=r"made from other captions .* run `python run_suite\.py label .*0\.tar`"
    ):
        read_sidecar(path)
    assert label_shards([path]).reused == 0
    assert read_sidecar(path) == {"00000": label("cat")}


def test_labels_of_another_version_are_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = shard(tmp_path / "0.tar", "a dog")
    with monkeypatch.context() as earlier:
        earlier.setattr(labelling, "PROTOCOL", 1)  # those of an NLTK later than 3.8.1
        label_shards([path])
    with pytest.raises(UserError, match="made by version 1 of the labelling, this is 2"):
        read_sidecar(path)
    assert label_shards([path]).reused == 0
    assert read_facts(sidecar_path(path))["protocol"] == 2


def test_missing_and_foreign_sidecars(tmp_path: Path) -> None:
    path = shard(tmp_path / "0.tar", "a dog")
    with pytest.raises(UserError, match=r"0\.synsets\.parquet is missing: run `python run_suite\.py label"):
        read_sidecar(path)
    with pytest.raises(UserError, match="holds no labels"):
        find_sidecars(tmp_path)
    pyarrow.parquet.write_table(pyarrow.table({"key": ["00000"]}), sidecar_path(path))
    with pytest.raises(UserError, match="is no file of labels"):
        read_sidecar(path)
    sidecar_path(path).write_bytes(b"no parquet")
    with pytest.raises(UserError, match="is no file of labels"):
        read_facts(sidecar_path(path))
    label_shards([path])  # takes its place
    assert read_sidecar(path) == {"00000": label("dog")}
    assert find_sidecars(tmp_path) == [sidecar_path(path)]


def test_another_folder(tmp_path: Path) -> None:
    paths = [shard(tmp_path / "in" / f"{n}.tar", "a dog") for n in range(2)]
    out = tmp_path / "some" / "out"
    label_shards(paths, out)
    assert sorted(out.iterdir()) == [out / "0.synsets.parquet", out / "1.synsets.parquet"]
    assert sorted((tmp_path / "in").iterdir()) == paths
    assert read_sidecar(paths[1], out) == {"00000": label("dog")}
    other = shard(tmp_path / "other" / "1.tar", "a cat")
    with pytest.raises(UserError, match="have the same sidecar"):
        label_shards([*paths, other], out)


@pytest.mark.parametrize("kept", [0, 100, 512, 1024, 1024 + 512, 2 * 1024 + 300, 4 * 1024])
def test_a_truncated_tar(tmp_path: Path, kept: int) -> None:
    good, bad = shard(tmp_path / "a.tar", "a dog"), shard(tmp_path / "b.tar", "a dog", "a cat", "a bird")
    last = shard(tmp_path / "c.tar", "a cat")
    bad.write_bytes(bad.read_bytes()[:kept])
    with pytest.raises(UserError, match=r"b\.tar .*fetch it again; 2 of 3 files are labelled"):
        label_shards([good, bad, last])
    assert sorted(tmp_path.glob("*")) == sorted([good, sidecar_path(good), bad, last, sidecar_path(last)])


def test_files_that_are_no_tar(tmp_path: Path) -> None:
    path = shard(tmp_path / "a.tar", "a dog", "a cat")
    data = path.read_bytes()
    for damaged in (b"hello" * 1000, data[:1536] + b"\xff" * 600 + data[2136:], gzip.compress(data)[:-200]):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"a\.tar .*fetch it again"):
            label_shards([path])
    assert list(tmp_path.iterdir()) == [path]


def test_a_packed_tar(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(shard(tmp_path / "a.tar", "a dog").read_bytes()))
    label_shards([path])
    assert sidecar_path(path).name == "a.synsets.parquet"
    assert read_sidecar(path) == {"00000": label("dog")}


@pytest.mark.parametrize(
    "names", [["1.txt", "2.txt", "1.txt"], ["1.txt", "1.txt"], ["1.txt", "2.txt", "1.json"]]
)
def test_duplicate_keys(tmp_path: Path, names: list[str]) -> None:
    path = write_tar(tmp_path / "a.tar", [(name, b"a dog") for name in names])
    with pytest.raises(UserError, match=r"a\.tar holds .*1.* twice.*: write the shard again"):
        label_shards([path])
    assert list(tmp_path.iterdir()) == [path]


def test_files_without_captions(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no files to label"):
        label_shards([])
    with pytest.raises(UserError, match=r"missing\.tar does not exist"):
        label_shards([tmp_path / "missing.tar"])
    with pytest.raises(UserError, match=r"a\.zip has an unknown ending"):
        label_shards([tmp_path / "a.zip"])
    empty = write_tar(tmp_path / "a.tar", [])
    with pytest.raises(UserError, match="no usable caption in the 1 files given"):
        label_shards([empty])
    assert read_sidecar(empty) == {}


def test_processes_beside_each_other(tmp_path: Path) -> None:
    paths = [shard(tmp_path / f"{n}.tar", f"dog{n} dog", "cat") for n in range(6)]
    code = (
        "import sys; from pathlib import Path; from pretraining.labels.sidecars import label_shards;"
        "print(label_shards([*map(Path, sys.argv[1:])], workers=1).captions)"
    )
    seen = []
    with subprocess.Popen([sys.executable, "-c", code, *paths], stdout=subprocess.PIPE, text=True) as other:
        summary = label_shards(paths, workers=2, report=lambda stage, done, total: seen.append(done))
        assert int(other.communicate(timeout=60)[0]) == summary.captions == 12
    assert seen == [1, 2, 3, 4, 5, 6]
    assert all(read_sidecar(path) == {"00000": label("dog"), "00001": label("cat")} for path in paths)
    assert sorted(tmp_path.iterdir()) == sorted([*paths, *map(sidecar_path, paths)])


def test_an_interrupted_run_leaves_no_half_sidecar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [shard(tmp_path / f"{n}.tar", "a dog") for n in range(2)]
    monkeypatch.setattr(labelling, "_BLOCK", 1)

    def stop(stage: str, done: int, total: int) -> None:
        monkeypatch.setattr(labelling.synset_arrays, "label_arrays", lambda texts: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        label_shards(paths, workers=1, report=stop)
    assert sorted(tmp_path.iterdir()) == sorted([*paths, sidecar_path(paths[0])])
    monkeypatch.undo()
    assert label_shards(paths).reused == 1


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    paths = [shard(tmp_path / f"{n}.tar", f"dog{n}", "cat") for n in range(3)]
    shard(paths[1], "a dog", "wait here", "a bird")
    code = """
import sys, time
from pathlib import Path
from pretraining.labels import sidecars as labelling
label_arrays = labelling.synset_arrays.label_arrays
def waiting(texts):
    if "wait here" in texts:
        print("half of the second file is written", flush=True)
        time.sleep(60)
    return label_arrays(texts)
labelling.synset_arrays.label_arrays, labelling._BLOCK = waiting, 1
labelling.label_shards([*map(Path, sys.argv[1:])], workers=1)
"""
    with subprocess.Popen([sys.executable, "-c", code, *paths], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline()
        run.kill()
    assert find_sidecars(tmp_path) == [sidecar_path(paths[0])]
    assert label_shards(paths).reused == 1
    assert find_sidecars(tmp_path) == [*map(sidecar_path, paths)]
    assert list(read_sidecar(paths[1]).values()) == [label("dog"), label("wait here"), label("bird")]


def test_blocks_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_tar(tmp_path / "0.tar", [*pairs(["a dog", "cat", "the", "red dog"]), ("9.txt", b"\xff")])
    label_shards([path], tmp_path / "whole")
    monkeypatch.setattr(labelling, "_BLOCK", 2)
    label_shards([path], tmp_path / "parts")
    whole, parts = (read_facts(sidecar_path(path, tmp_path / name)) for name in ("whole", "parts"))
    assert whole.pop("seconds") > 0 and parts.pop("seconds") > 0
    assert whole == parts
    assert read_sidecar(path, tmp_path / "whole") == read_sidecar(path, tmp_path / "parts")


def test_plain_text(tmp_path: Path) -> None:
    path = tmp_path / "captions.txt"
    path.write_bytes(b"a dog\r\n\n\xff\ncaf\xc3\xa9 cat\xe2\x80\xa8bird")  # U+2028 is no end of a line
    label_shards([path])
    assert read_sidecar(path) == {"0": label("dog"), "1": (), "3": label("cat bird")}


def test_jsonl(tmp_path: Path) -> None:
    path = tmp_path / "captions.jsonl"
    records = [
        {"caption": "a dog", "key": "k"},
        {"text": "a cat", "uid": 7},
        {"TEXT": "bird"},
        {"other": 1},
        3,
    ]
    path.write_text("\n".join(map(json.dumps, records)) + "\n{\n")
    summary = label_shards([path])
    assert read_sidecar(path) == {"k": label("dog"), "7": label("cat"), "2": label("bird")}
    assert summary.bad == 3


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    pyarrow.parquet.write_table(
        pyarrow.table({"uid": ["b", "a"], "text": ["a dog", None], "n": [1, 2]}), path
    )
    assert label_shards([path]).bad == 1
    assert read_sidecar(path) == {"b": label("dog")}
    pyarrow.parquet.write_table(pyarrow.table({"TEXT": ["a dog", "cat"]}), path)
    assert list(read_captions(path)) == [("0", "a dog", None), ("1", "cat", None)]
    for table, problem in [
        ({"uid": ["a", "a"], "text": ["dog", "cat"]}, "holds the uid 'a' twice"),
        ({"name": ["dog"]}, "has no column caption, text, TEXT"),
    ]:
        pyarrow.parquet.write_table(pyarrow.table(table), path)
        with pytest.raises(UserError, match=problem):
            list(read_captions(path))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match="cannot be read as parquet"):
        list(read_captions(path))


def test_stems() -> None:
    named = ["a/00.tar", "b.tar.gz", "c.TGZ", "d.x.parquet", "e.jsonl", "f.txt"]
    assert [stem_of(Path(name)) for name in named] == ["00", "b", "c", "d.x", "e", "f"]
