"""Labels on the command line: mined from every kind of file, counted, exchanged with CoreNet, matched."""

from __future__ import annotations

import csv
import io
import json
import os
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from benchmark.cli import main
from pretraining.labels.sidecars import read_sidecar, sidecar_path
from pretraining.labels.synsets import label
from pretraining.labels.vocabulary import Vocabulary

CAPTIONS = ["a dog", "", "Two cats & a dog", "the wug"]


def write_tar(path: Path, captions: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as tar:
        for number, caption in enumerate(captions):
            for ending, data in (("jpg", b"x"), ("txt", caption.encode()), ("json", b'{"caption": "bird"}')):
                info = tarfile.TarInfo(f"{number:09d}.{ending}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return path


def write_parquet(path: Path, captions: list[str], caption: str, key: str) -> Path:
    """As img2dataset (caption, key) or DataComp (text, uid) write it, among other columns."""
    columns = {
        "url": [f"https://example.org/{number}.jpg" for number in range(len(captions))],
        caption: captions,
        key: [f"{number:09d}" for number in range(len(captions))],
        "original_width": [640] * len(captions),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


def write_text(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def jsonl(captions: list[str]) -> str:
    return "".join(
        json.dumps({"caption": caption, "key": f"{n:09d}"}) + "\n" for n, caption in enumerate(captions)
    )


KINDS: dict[str, Callable[[Path], Path]] = {
    "WebDataset": lambda folder: write_tar(folder / "00000.tar", CAPTIONS),
    "WebDataset, packed": lambda folder: write_tar(folder / "00000.tar.gz", CAPTIONS),
    "img2dataset": lambda folder: write_parquet(folder / "00000.parquet", CAPTIONS, "caption", "key"),
    "DataComp": lambda folder: write_parquet(folder / "00000.parquet", CAPTIONS, "text", "uid"),
    "jsonl": lambda folder: write_text(folder / "00000.jsonl", jsonl(CAPTIONS)),
    "text": lambda folder: write_text(folder / "00000.txt", "\n".join(CAPTIONS) + "\n"),
}


@pytest.mark.parametrize("whole_folder", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_captions(
    kind: str, whole_folder: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shard, out = KINDS[kind](tmp_path / "in"), tmp_path / "out"
    entry = str(shard.parent if whole_folder else shard)
    assert main(["label", entry, "--out", str(out)]) == 0
    names = [str(n) if kind == "text" else f"{n:09d}" for n in range(len(CAPTIONS))]
    assert list(read_sidecar(shard, out).items()) == [
        (name, label(caption)) for name, caption in zip(names, CAPTIONS, strict=True)
    ]
    assert sorted(shard.parent.iterdir()) == [shard]
    said = capsys.readouterr().err
    assert "captions/s, 4 captions in 1 files (0 of them labelled before)" in said
    assert "1.00 labels per caption; 2 captions (50.0%) without a label" in said
    assert "commonest words that are no noun of WordNet, in a sample: wug (1)" in said

    assert main(["label", entry, "--out", str(out)]) == 0
    said = capsys.readouterr().err
    assert "4 captions in 1 files (1 of them labelled before)" in said and "captions/s" not in said


def test_the_files_that_img2dataset_writes_beside_shards(tmp_path: Path) -> None:
    shard = write_tar(tmp_path / "sub" / "00000.tar", ["a dog"])
    write_parquet(tmp_path / "sub" / "00000.parquet", ["a cat"], "caption", "key")
    write_text(tmp_path / "sub" / "00000_stats.json", "{}")
    write_text(tmp_path / "notes.txt", "a bird")
    assert main(["label", str(tmp_path)]) == 0
    assert read_sidecar(shard) == {"000000000": label("dog")}
    assert [path.name for path in tmp_path.rglob("*.synsets.parquet")] == ["00000.synsets.parquet"]
    assert main(["label", str(tmp_path)]) == 0  # sidecars are no captions


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({}, "holds no captions: give tar shards, .parquet, .jsonl or .txt files"),
        ({"a.csv": "dog", ".hidden.txt": "dog"}, "holds no captions"),
        ({"a.txt": "dog", "b.txt": "cat", "c.jsonl": "{}"}, "holds 2 .txt and 1 .jsonl files, any of which"),
        ({"a.txt": ""}, "a.txt: no usable caption in the 1 files given"),
        ({"a.tar": "no tar at all"}, "a.tar cannot be read"),
        ({"a.txt": "dog", "b/a.txt": "cat"}, "have the same sidecar"),
        ({"a.jsonl": '{"caption": 5}'}, "0: its caption is a int, not text"),
    ],
)
def test_folders_that_cannot_be_labelled(
    files: dict[str, str], problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, text in files.items():
        write_text(folder / name, text)
    assert main(["label", str(folder), "--out", str(tmp_path / "out")]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert errors[-1].startswith("error: ") and problem in errors[-1]


def test_bad_files_do_not_cost_the_good_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = [write_tar(tmp_path / f"{n}.tar", ["a dog"]) for n in range(3)]
    truncated = good[1]
    truncated.write_bytes(truncated.read_bytes()[:700])
    assert main(["label", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "1.tar cannot be read" in said and "truncated" in said and "2 of 3 files are labelled" in said
    assert [sidecar_path(path).exists() for path in good] == [True, False, True]


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Sidecars in two folders: dog in 4 captions, cat in 2, tree in 1."""
    for name, captions in (("a", ["dog", "dog cat"]), ("b/c", ["dog", "dog dog", "cat tree", "the"])):
        write_text(tmp_path / "captions" / f"{name}.txt", "\n".join(captions))
    folder = tmp_path / "captions"
    assert main(["label", str(folder)]) == 0
    return folder


def vocabulary_from(arguments: list[str], out: Path) -> dict[str, int]:
    assert main(["vocabulary", *arguments, "--out", str(out)]) == 0
    vocabulary = Vocabulary.load(out)
    return dict(zip(vocabulary.names, vocabulary.counts, strict=True))


def test_vocabulary_merges_counts(labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "v.csv"
    everything = {"dog.n.01": 4, "cat.n.01": 2, "tree.n.01": 1}
    assert vocabulary_from([str(labels), "--min-count", "1"], out) == everything
    assert "3 of 3 synsets, each in 1 captions or more; commonest: dog.n.01, cat.n.01" in (
        " ".join(capsys.readouterr().out.split())
    )
    files = [str(path) for path in labels.rglob("*.synsets.parquet")]
    assert vocabulary_from([*files, "--min-count", "2"], out) == {"dog.n.01": 4, "cat.n.01": 2}
    assert vocabulary_from([str(labels), *files, "--max-size", "1"], out) == {"dog.n.01": 4}
    assert vocabulary_from([str(labels / "b"), "--max-size", "9"], out)["dog.n.01"] == 2


def test_the_papers_threshold_is_the_default(
    labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "v.csv"
    assert main(["vocabulary", str(labels), "--out", str(out)]) == 2
    assert "no synset is in 501 captions, the commonest is in 4" in capsys.readouterr().err
    assert not out.exists()


def test_exchange_with_corenet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    theirs = {"n2084071": 52418327, "n2121620": 700, "n13104059": 3}
    (tmp_path / "in.pkl").write_bytes(pickle.dumps(theirs))
    metadata = {"total_tar_files": 2, "max_files_per_tar": 10000, "tar_file_names": ["0.tar.gz", "1.tar.gz"]}
    (tmp_path / "metadata.pkl").write_bytes(pickle.dumps(metadata))
    arguments = ["--from-corenet", str(tmp_path / "in.pkl"), "--to-corenet", str(tmp_path / "out.pkl")]
    arguments += ["--metadata", str(tmp_path / "metadata.pkl")]
    counts = vocabulary_from(arguments, tmp_path / "v.csv")
    assert counts == {"dog.n.01": 52418327, "cat.n.01": 700, "tree.n.01": 3}
    assert pickle.loads((tmp_path / "out.pkl").read_bytes()) == theirs
    assert json.loads((tmp_path / "v.metadata.json").read_text()) == metadata
    assert "2 tar files, at most 20,000 captions" in capsys.readouterr().err
    arguments = ["--from-corenet", str(tmp_path / "in.pkl"), "--max-size", "2"]
    assert list(vocabulary_from(arguments, tmp_path / "v.csv")) == ["dog.n.01", "cat.n.01"]


class Touch:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.path}",)


def test_bad_input_of_vocabulary_is_one_line(
    labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = tmp_path / "hostile.pkl"
    hostile.write_bytes(pickle.dumps({"n2084071": Touch(tmp_path / "trap")}))
    (tmp_path / "empty").mkdir()
    capsys.readouterr()
    for arguments, problem in [
        ([], "give either files of labels"),
        ([str(labels), "--from-corenet", str(hostile)], "give either files of labels"),
        (["--from-corenet", str(hostile)], "asks for posix.system"),
        (["--from-corenet", str(hostile), "--metadata", str(hostile)], "asks for posix.system"),
        ([str(tmp_path / "empty")], "holds no labels: run"),
        ([str(labels / "a.txt")], "is no file of labels"),
    ]:
        assert main(["vocabulary", *arguments, "--out", str(tmp_path / "v.csv")]) == 2
        errors = capsys.readouterr().err.splitlines()
        assert errors[-1].startswith("error: ") and problem in errors[-1]
        assert not any("Traceback" in line for line in errors)
    assert not (tmp_path / "trap").exists() and not (tmp_path / "v.csv").exists()


def test_plots_of_a_corpus(labels: Path, tmp_path: Path) -> None:
    plots = tmp_path / "plots"
    vocabulary_from([str(labels), "--max-size", "1", "--plots", str(plots)], tmp_path / "v.csv")
    names = ["labels_per_caption", "synset_frequency", "vocabulary_size"]
    assert sorted(path.name for path in plots.iterdir()) == sorted(
        f"{name}.{ending}" for name in names for ending in ("csv", "pdf", "png", "svg")
    )
    with (plots / "synset_frequency.csv").open(newline="") as file:
        assert [(row["name"], row["count"]) for row in csv.DictReader(file)] == [
            ("dog.n.01", "4"),
            ("cat.n.01", "2"),
            ("tree.n.01", "1"),
        ]


def test_match(labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vocabulary_from([str(labels), "--min-count", "1"], tmp_path / "v.csv")
    names = write_text(tmp_path / "names.txt", "dog\npuppy\nkitchen\nqwert\n")
    ids = write_text(tmp_path / "ids.csv", "name\nn02084071\n")
    out, plots = tmp_path / "matches.csv", tmp_path / "plots"
    capsys.readouterr()
    arguments = [str(names), str(ids), "--vocabulary", str(tmp_path / "v.csv"), "--out", str(out)]
    assert main(["match", *arguments, "--plots", str(plots)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "4 labels at alpha 0.5: exact 1 (25.0%), similar 1 (25.0%), in part 0 (0.0%), none 2 (50.0%)" in said
    )
    assert "1 labels at alpha 0.5: exact 1 (100.0%)" in said
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["label"], row["class_index"], row["kind"]) for row in rows] == [
        ("dog", "0", "exact"),
        ("puppy", "0", "similar"),
        ("kitchen", "", "outside"),
        ("qwert", "", "unknown"),
        ("n02084071", "0", "exact"),
    ]
    assert sorted(path.name for path in plots.iterdir()) == [
        f"label_coverage.{kind}" for kind in ("csv", "pdf", "png", "svg")
    ]
    assert main(["match", str(names), "--vocabulary", str(tmp_path / "v.csv"), "--alpha", "1"]) == 0
    assert "at alpha 1: exact 1 (25.0%), similar 0" in " ".join(capsys.readouterr().out.split())


def test_bad_input_of_match_is_one_line(
    labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vocabulary_from([str(labels), "--min-count", "1"], tmp_path / "v.csv")
    write_text(tmp_path / "unknown.csv", "synset,name,count\n2084072,dog.n.01,3\n")
    names = str(write_text(tmp_path / "names.txt", "n02084072\n"))
    capsys.readouterr()
    for arguments, problem in [
        (["cocoo", "--vocabulary", str(tmp_path / "v.csv")], "no labels called cocoo"),
        ([names, "--vocabulary", str(tmp_path / "v.csv")], "n02084072 is no noun synset of WordNet 3.0"),
        ([names, "--vocabulary", str(tmp_path / "unknown.csv")], "2084072 is no WordNet 3.0 noun synset"),
        ([names, "--vocabulary", str(tmp_path / "missing.csv")], "cannot be read as a vocabulary"),
        ([names, "--vocabulary", str(tmp_path / "v.csv"), "--alpha", "2"], "alpha 2"),
    ]:
        assert main(["match", *arguments]) == 2
        errors = capsys.readouterr().err.splitlines()
        assert len(errors) == 1 and errors[0].startswith("error: ") and problem in errors[0]
