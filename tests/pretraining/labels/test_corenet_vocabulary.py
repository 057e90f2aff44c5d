"""CoreNet's pickles: what is read, what is refused by name, and that nothing of a pickle ever runs."""

from __future__ import annotations

import copyreg
import os
import pickle
import struct
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from common.errors import UserError
from pretraining.labels.corenet_vocabulary import (
    read_corenet_metadata,
    read_corenet_vocabulary,
    write_corenet_vocabulary,
)
from pretraining.labels.vocabulary import Vocabulary

TEN = {
    "n5928118": 52418327, "n13333833": 46393897, "n4960277": 38781582, "n7947958": 36532096,
    "n9638875": 34564013, "n928077": 30290822, "n7996689": 28076676, "n10787470": 24182531,
    "n5938976": 23817664, "n8559508": 23476398,
}  # fmt: skip
METADATA = {"total_tar_files": 2, "max_files_per_tar": 10_000, "tar_file_names": ["0.tar.gz", "1.tar.gz"]}


def pickled(path: Path, value: object, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(value, protocol))
    return path


@pytest.mark.parametrize("protocol", range(6))
def test_reading_and_writing_in_every_protocol(tmp_path: Path, protocol: int) -> None:
    vocabulary = read_corenet_vocabulary(pickled(tmp_path / "vocab.pkl", TEN, protocol))
    assert vocabulary.names[:3] == ("image.n.01", "stock.n.01", "black.n.01")
    assert vocabulary.synsets[5] == 928077 and vocabulary.counts == tuple(TEN.values())
    path = write_corenet_vocabulary(vocabulary, tmp_path / "new" / "again.pkl", protocol)
    again = pickle.loads(path.read_bytes())
    assert again == TEN and list(again) == list(TEN) and type(again) is dict
    assert list(path.parent.iterdir()) == [path]
    assert Vocabulary.load(vocabulary.save(tmp_path / "v.csv")) == vocabulary


def test_equal_counts_keep_their_order_and_large_ones_their_value(tmp_path: Path) -> None:
    content = {"n2084071": 5_000_000_000, "n13333833": 7, "n928077": 7, "n5928118": 0}
    for protocol in range(6):
        vocabulary = read_corenet_vocabulary(pickled(tmp_path / "v.pkl", content, protocol))
        assert dict(zip(vocabulary.synsets, vocabulary.counts, strict=True)) == {
            int(key[1:]): count for key, count in content.items()
        }
        assert [f"n{synset}" for synset in vocabulary.synsets] == list(content)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"n2084071": 3, "n2084072": 2}, "'n2084072' is no noun of WordNet 3.0"),
        ({"n02084071": 3}, "'n02084071' is no noun of WordNet"),
        ({"dog": 3}, "'dog' is no noun"),
        ({"n" + "9" * 500: 3}, "is no noun"),
        ({"n2084071": 3, "n928077": 4}, "the counts do not fall at n928077"),
        ({"n2084071": -1}, "n2084071 has the count -1"),
        ({"n2084071": "3"}, "'n2084071' -> '3' is not a synset with its count"),
        ({2084071: 3}, "2084071 -> 3 is not a synset"),
        ({"n2084071": {}}, "-> a dict is not a synset"),
        ({"n2084071": [1]}, "-> a list is not a synset"),
        ({}, "holds an empty dict"),
        (["n2084071"], "holds a list, not CoreNet's dict"),
        ("n2084071", "holds a str"),
    ],
)
def test_data_that_are_no_vocabulary(tmp_path: Path, content: object, problem: str) -> None:
    with pytest.raises(UserError, match=problem) as raised:
        read_corenet_vocabulary(pickled(tmp_path / "vocab.pkl", content))
    message = str(raised.value)
    assert message.startswith(f"{tmp_path / 'vocab.pkl'}") and "\n" not in message and len(message) < 400


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple:
        return self.call


class WithState:
    def __setstate__(self, state: object) -> None:
        raise AssertionError("this ran")


def by_hand(*parts: bytes) -> bytes:
    return b"\x80\x04" + b"".join(parts) + b"."


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def extension(trap: Path) -> bytes:
    """A function by its number in copyreg, which needs no look-up by name once it was used."""
    copyreg.add_extension("builtins", "open", 240)
    copyreg._extension_cache[240] = open
    return by_hand(b"\x82\xf0", text(str(trap)), text("w"), b"\x86R")


HOSTILE = {
    "os.system": lambda trap: pickle.dumps(Calls(os.system, f"touch {trap}")),
    "os.system, protocol 0": lambda trap: f"cposix\nsystem\n(Vtouch {trap}\ntR.".encode(),
    "as a count": lambda trap: pickle.dumps({"n2084071": Calls(os.system, f"touch {trap}")}),
    "as a key": lambda trap: pickle.dumps({Calls(os.system, f"touch {trap}"): 1}),
    "after good data": lambda trap: pickle.dumps([TEN, Calls(open, str(trap), "w")]),
    "eval": lambda trap: pickle.dumps(Calls(eval, f"open({str(trap)!r}, 'w')")),
    "getattr": lambda trap: pickle.dumps(Calls(getattr, "x", "upper")),
    "an instance with state": lambda trap: pickle.dumps(WithState()),
    "instance of protocol 0": lambda trap: f"(V{trap}\nVw\ni__builtin__\nopen\n.".encode(),
    "object of protocol 1": lambda trap: f"(c__builtin__\nopen\nV{trap}\nVw\no.".encode(),
    "a persistent object": lambda trap: f"P{trap}\n.".encode(),
    "a persistent object, binary": lambda trap: by_hand(text(str(trap)), b"Q"),
    "an extension": extension,
    "a dotted name": lambda trap: by_hand(text("os"), text("path.os.system"), b"\x93"),
    "Counter": lambda trap: pickle.dumps(Counter(TEN)),
    "OrderedDict": lambda trap: pickle.dumps(OrderedDict(TEN)),
    "NumPy counts": lambda trap: pickle.dumps({"n2084071": np.int64(3)}),
    "a deep tuple as a key": lambda trap: by_hand(b"}", b")" + b"\x85" * 100_000, b"K\x01s"),
    "room for a billion places": lambda trap: by_hand(b"}", b"r" + struct.pack("<I", 1 << 30)),
    "a huge number": lambda trap: pickle.dumps({"n2084071": 1 << 100_000}),
    "a byte string": lambda trap: pickle.dumps({"n2084071": b"3"}),
    "a float": lambda trap: pickle.dumps({"n2084071": 3.0}),
    "None": lambda trap: pickle.dumps({"n2084071": None}),
}  # fmt: skip


@pytest.mark.parametrize("read", [read_corenet_vocabulary, read_corenet_metadata])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_refused_and_do_nothing(
    tmp_path: Path, name: str, read: Callable[[Path], object]
) -> None:
    trap = tmp_path / "trap"
    path = tmp_path / "vocab.pkl"
    path.write_bytes(HOSTILE[name](trap))
    try:
        with pytest.raises(UserError, match=r"asks for .*nothing of it was run") as raised:
            read(path)
    finally:
        if name == "an extension":
            copyreg.remove_extension("builtins", "open", 240)
    assert not trap.exists()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("os.system", r"(posix|nt)\.system"),
        ("as a count", r"(posix|nt)\.system"),
        ("eval", r"builtins\.eval"),
        ("an instance with state", "WithState"),
        ("instance of protocol 0", r"builtins\.open|__builtin__\.open"),
        ("a dotted name", r"os\.path\.os\.system"),
        ("Counter", r"collections\.Counter"),
        ("NumPy counts", "numpy"),
        ("a persistent object", "PERSID"),
        ("an extension", "EXT1"),
        ("a float", "BINFLOAT"),
        ("room for a billion places", "place 1073741824"),
    ],
)
def test_what_a_pickle_asked_for_is_named(tmp_path: Path, name: str, named: str) -> None:
    path = tmp_path / "vocab.pkl"
    path.write_bytes(HOSTILE[name](tmp_path / "trap"))
    if name == "an extension":
        copyreg.remove_extension("builtins", "open", 240)
    with pytest.raises(UserError, match=f"asks for .*({named})"):
        read_corenet_vocabulary(path)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<!DOCTYPE html><html><body>Not found</body></html>",
        b"version https://git-lfs.github.com/spec/v1\n",
        b"synset,name,count\n",
        b"\x80\x63}.",
        b"\x80\x04}",
        b"\x80\x04s.",
        b"\x80\x04\x93.",
        b"\x80\x04.",
        b"\x80\x04h\x05.",
        b"\x80\x04}}K\x01s.",
        b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62) + b"x.",
        b"I" + b"9" * 5000 + b"\n.",
        *(pickle.dumps(TEN)[:end] for end in (1, 2, 5, 12, 40, -1)),
    ],
)
def test_truncated_files_and_no_pickles(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "vocab.pkl"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"vocab\.pkl is truncated, or no pickle: fetch it again") as raised:
        read_corenet_vocabulary(path)
    assert "\n" not in str(raised.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.pkl", tmp_path):
        with pytest.raises(UserError, match="cannot be read"):
            read_corenet_vocabulary(path)
    huge = tmp_path / "huge.pkl"
    with huge.open("wb") as file:
        file.truncate(1 << 30)  # a hole: takes no room on the disk
    with pytest.raises(UserError, match="takes 1024 MiB"):
        read_corenet_vocabulary(huge)


def test_metadata(tmp_path: Path) -> None:
    metadata = read_corenet_metadata(pickled(tmp_path / "metadata.pkl", METADATA | {"more": "x"}))
    assert metadata.tar_file_names == ("0.tar.gz", "1.tar.gz")
    assert metadata.most_captions == 20_000
    assert metadata.as_json() == METADATA


@pytest.mark.parametrize(
    "change",
    [
        {"total_tar_files": 3},
        {"total_tar_files": True},
        {"max_files_per_tar": 0},
        {"max_files_per_tar": "10"},
        {"tar_file_names": ["0.tar.gz", 1]},
        {"tar_file_names": "01"},
        {"total_tar_files": 0, "tar_file_names": []},
    ],
)
def test_metadata_that_disagree(tmp_path: Path, change: dict[str, object]) -> None:
    with pytest.raises(UserError, match=r"(is not CoreNet's metadata|the opcode NEWTRUE)"):
        read_corenet_metadata(pickled(tmp_path / "metadata.pkl", METADATA | change))
    with pytest.raises(UserError, match="is not CoreNet's metadata"):
        read_corenet_metadata(pickled(tmp_path / "vocab.pkl", TEN))
