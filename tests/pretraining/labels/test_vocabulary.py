"""Vocabularies: counting labels, and reading only what is whole."""

from __future__ import annotations

from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from common.errors import UserError
from pretraining.labels.sidecars import label_shards, sidecar_path
from pretraining.labels.synsets import label
from pretraining.labels.vocabulary import Vocabulary

(DOG,), (CAT,), (HOUSE,), (TREE,) = (label(word) for word in ("dog", "cat", "house", "tree"))


@pytest.fixture
def sidecars(tmp_path: Path) -> list[Path]:
    captions = {"a": "dog dog\ncat\ntree\nthe", "b": "dog cat\nhouse\ndog house"}
    for name, text in captions.items():
        (tmp_path / f"{name}.txt").write_text(text)
    paths = [tmp_path / f"{name}.txt" for name in captions]
    label_shards(paths)
    return [sidecar_path(path) for path in paths]


def test_counts_fall_and_ties_are_in_order_of_offset(sidecars: list[Path]) -> None:
    vocabulary = Vocabulary.count(sidecars)
    assert vocabulary.synsets == (DOG, *sorted([CAT, HOUSE]), TREE)
    assert vocabulary.counts == (3, 2, 2, 1)
    assert vocabulary.names == ("dog.n.01", "cat.n.01", "house.n.01", "tree.n.01")
    assert [vocabulary.index(offset) for offset in (DOG, TREE, 1740)] == [0, 3, None]
    assert len(vocabulary) == 4
    assert Vocabulary.count(reversed(sidecars)) == vocabulary


def test_thresholds(sidecars: list[Path]) -> None:
    assert Vocabulary.count(sidecars, min_count=2).names == ("dog.n.01", "cat.n.01", "house.n.01")
    assert Vocabulary.count(sidecars, max_size=2).names == ("dog.n.01", "cat.n.01")
    with pytest.raises(UserError, match="no synset is in 4 captions, the commonest is in 3"):
        Vocabulary.count(sidecars, min_count=4)
    with pytest.raises(UserError, match="no caption of the 0 files"):
        Vocabulary.count([])


def test_saving_and_loading(sidecars: list[Path], tmp_path: Path) -> None:
    vocabulary = Vocabulary.count(sidecars)
    path = vocabulary.save(tmp_path / "new" / "vocabulary.csv")
    assert path.read_text().splitlines()[:2] == ["synset,name,count", f"{DOG},dog.n.01,3"]
    assert Vocabulary.load(path) == vocabulary
    assert list(path.parent.iterdir()) == [path]
    again = vocabulary.save(tmp_path / "again.csv")
    assert again.read_bytes() == path.read_bytes()


def test_the_digest_is_that_of_the_order_alone(sidecars: list[Path]) -> None:
    vocabulary = Vocabulary.count(sidecars)
    same = Vocabulary(vocabulary.synsets, vocabulary.names, (9, 8, 7, 6))
    other = Vocabulary(vocabulary.synsets[::-1], vocabulary.names[::-1], vocabulary.counts)
    assert vocabulary.digest == same.digest != other.digest
    assert len(vocabulary.digest) == 32


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["synset,count"], "line 1: it should start with synset,name,count"),
        ([""], "should start with"),
        (["synset,name,count"], "holds no synset"),
        (["synset,name,count", f"{DOG},dog.n.01,3", "2084072,dog.n.01,2"], "line 3: 2084072 is no WordNet"),
        (["synset,name,count", f"{DOG},cat.n.01,3"], f"line 2: {DOG} is dog.n.01, not cat.n.01"),
        (["synset,name,count", f"{DOG},dog.n.01,3", f"{DOG},dog.n.01,3"], "line 3: dog.n.01 is there twice"),
        (["synset,name,count", f"{DOG},dog.n.01,3", f"{CAT},cat.n.01,4"], "line 3: the counts do not fall"),
        (["synset,name,count", f"{DOG},dog.n.01"], "line 2: it is not synset,name,count"),
        (["synset,name,count", f"{DOG},dog.n.01,x"], "line 2: it is not synset,name,count"),
        (["synset,name,count", f"-{DOG},dog.n.01,1"], "line 2: it is not synset,name,count"),
        (["synset,name,count", "²,dog.n.01,1"], "line 2: it is not synset,name,count"),
        (["synset,name,count", '"' + "x" * 200_000], "line"),
    ],
)
def test_bad_vocabularies(tmp_path: Path, lines: list[str], problem: str) -> None:
    path = tmp_path / "vocabulary.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(UserError, match=problem) as raised:
        Vocabulary.load(path)
    assert str(raised.value).startswith(f"{path} ") and "write it again" in str(raised.value)


def test_files_that_are_no_vocabulary(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read as a vocabulary"):
        Vocabulary.load(tmp_path / "missing.csv")
    (tmp_path / "pickle").write_bytes(b"\x80\x04\x95")
    with pytest.raises(UserError, match="cannot be read as a vocabulary"):
        Vocabulary.load(tmp_path / "pickle")


def test_bad_sidecars(sidecars: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no file of labels"):
        Vocabulary.count([tmp_path / "missing.synsets.parquet"])
    table = pyarrow.parquet.read_table(sidecars[0])
    wrong = pyarrow.array([[DOG], [99_999_999], [], []], pyarrow.list_(pyarrow.int32()))
    metadata = pyarrow.parquet.read_metadata(sidecars[0]).metadata
    table = table.set_column(1, "synsets", wrong).replace_schema_metadata(metadata)
    pyarrow.parquet.write_table(table, sidecars[0])
    with pytest.raises(UserError, match=r"a\.synsets\.parquet holds 99999999, no WordNet 3\.0 noun synset"):
        Vocabulary.count(sidecars)
