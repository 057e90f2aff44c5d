"""Whatever a file of captions, labels or a description of a backbone holds, its reader answers in one line.

The strategies are importable, for longer runs.
"""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

from examples import QUICK
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from backbones.card import Card
from common.errors import UserError
from common.pictures import BadPicture, opened
from pretraining.labels.rule import reference_label
from pretraining.labels.sidecars import read_facts
from pretraining.labels.sources import read_captions
from pretraining.labels.synsets import label
from pretraining.labels.vocabulary import Vocabulary


def _whole_tar() -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name, content in (("a.txt", b"a dog"), ("b.json", b'{"caption": "a cat"}')):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return data.getvalue()


_TAR = _whole_tar()
captions = st.lists(
    st.sampled_from(
        ["<", ">", "a ", "dog", "&lt;", "%3C", "'", ". ", "\n", "\t", "é", '"', "(", "+", "--", "\x00"]
    )
).map("".join)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
tars = st.lists(st.tuples(st.integers(0, 2047), st.integers(0, 255)), max_size=8).map(
    lambda changes: _changed(_TAR, changes)
)
vocabularies = st.lists(
    st.sampled_from(
        ["synset,name,count\n", "2084071,dog.n.01,", "5\n", ",", '"', "\n", "x", "9" * 30, "\x00"]
    )
).map(lambda parts: "".join(parts).encode()) | st.binary(max_size=60)
descriptions = st.fixed_dictionaries(
    {},
    optional={
        "architecture": values
        | st.fixed_dictionaries(
            {"embed_dim": values, "depth": values, "num_heads": values}, optional={"image_size": values}
        ),
        **dict.fromkeys(("preprocessing", "objective", "head", "cost", "recipe", "format"), values),
    },
)


def _changed(data: bytes, changes: list[tuple[int, int]]) -> bytes:
    copy = bytearray(data)
    for place, value in changes:
        copy[place] = value
    return bytes(copy)


@QUICK
@given(captions)
def test_labels_are_those_of_the_rule(text):
    assert label(text) == reference_label(text)


@QUICK
@given(tars)
def test_a_changed_shard_is_read_or_refused(tmp_path, data):
    path = Path(tmp_path, "0.tar")
    path.write_bytes(data)
    try:
        assert all((caption is None) != (problem is None) for _, caption, problem in read_captions(path))
    except UserError as error:
        assert "\n" not in str(error)


@QUICK
@given(st.lists(values | st.text(), max_size=4))
def test_lines_of_json_are_read_or_counted(tmp_path, lines):
    path = Path(tmp_path, "0.jsonl")
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert len(list(read_captions(path))) == len(lines)


@QUICK
@given(vocabularies)
def test_a_vocabulary_is_read_or_refused(tmp_path, data):
    path = Path(tmp_path, "vocabulary.csv")
    path.write_bytes(data)
    try:
        assert len(Vocabulary.load(path))
    except UserError as error:
        assert "\n" not in str(error)


@QUICK
@given(st.binary(max_size=200))
def test_no_bytes_are_labels_or_a_picture(tmp_path, data):
    path = Path(tmp_path, "0.synsets.parquet")
    path.write_bytes(data)
    try:
        read_facts(path)
        raise AssertionError("it was read")
    except UserError as error:
        assert "\n" not in str(error)
    try:
        with opened(data) as image:
            image.load()
    except BadPicture as error:
        assert "\n" not in str(error)


@QUICK
@given(descriptions)
def test_a_description_is_understood_or_invalid(description):
    try:
        Card.model_validate(description)
    except ValidationError:
        assert Card.from_record(description) is not None
