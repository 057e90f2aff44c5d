"""CoreNet's vocabulary and metadata: pickles, read without ever executing one, and written for CoreNet.

The vocabulary (``datacomp_1_2B_vocab.pkl`` in CoreNet's ``projects/catlip/README-pretraining.md``) is a
pickled dict ``{"n5928118": 52418327, ...}``: ``n`` and the WordNet 3.0 offset, not zero-padded, with the
number of captions, the commonest first. CoreNet keeps the first ``vocab_size`` (24,320) as its classes.

The metadata (``metadata.pkl`` beside its tar files; described in CoreNet's ``img_text_tar_dataset.py``) is a
pickled dict with ``total_tar_files``, ``max_files_per_tar`` and ``tar_file_names``.

A pickle is a program. Two gates stand before the reader: only opcodes that build text, integers, lists and
dicts may occur, and an unpickler that finds no class and no function names whatever was asked for.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from common.errors import UserError
from common.files import replacing
from pretraining.labels.synsets import Lexicon
from pretraining.labels.vocabulary import Vocabulary

_LARGEST_FILE = 64 << 20  # bytes; CoreNet's metadata of a billion pairs takes a few million
_KEY = re.compile(r"n([1-9][0-9]{0,7})")
_DATA = """
    PROTO FRAME STOP MARK EMPTY_DICT DICT SETITEM SETITEMS EMPTY_LIST LIST APPEND APPENDS
    UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 INT LONG BININT BININT1 BININT2 LONG1 LONG4
    PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET
"""
_DATA_OPCODES = frozenset(_DATA.split())
_LOOK_UPS = frozenset({"GLOBAL", "STACK_GLOBAL", "INST"})  # of a class or function, by name
_BROKEN = (
    pickle.UnpicklingError, EOFError, ValueError, KeyError, IndexError, AttributeError, TypeError,
    OverflowError, MemoryError, AssertionError,
)  # fmt: skip


class _Refused(Exception):
    """The pickle asks for more than data; the message says for what."""


class _DataUnpickler(pickle.Unpickler):
    """Builds text, integers, lists and dicts; there is nothing that it could call."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise _Refused(f"{module}.{name}")

    def persistent_load(self, reference: Any) -> NoReturn:
        raise _Refused("a persistent object")


@dataclass(frozen=True)
class CorenetMetadata:
    """What CoreNet knows of its tar files.

    Attributes:
        tar_file_names: their names.
        max_files_per_tar: the largest number of pairs in one; filtering may have left fewer.
    """

    tar_file_names: tuple[str, ...]
    max_files_per_tar: int

    @property
    def most_captions(self) -> int:
        """The number of captions, if no pair was filtered out."""
        return len(self.tar_file_names) * self.max_files_per_tar

    def as_json(self) -> dict[str, Any]:
        """The metadata under CoreNet's names."""
        return {
            "total_tar_files": len(self.tar_file_names),
            "max_files_per_tar": self.max_files_per_tar,
            "tar_file_names": list(self.tar_file_names),
        }


def read_corenet_vocabulary(path: Path) -> Vocabulary:
    """CoreNet's vocabulary, whole and in its own order.

    Args:
        path: the pickle; of any protocol.

    Raises:
        UserError: the file is no pickle of a dict of text and integers, a key is no WordNet 3.0 noun, or the
            counts do not fall.
    """
    path = Path(path)
    content = _read_data(path)
    if type(content) is not dict or not content:
        raise UserError(f"{path} holds {_kind(content)}, not CoreNet's dict of synset -> count")
    known = Lexicon.load().row_of
    counts: dict[int, int] = {}
    last = None
    for key, count in content.items():
        if type(key) is not str or type(count) is not int:
            raise UserError(
                f"{path}: {_short(key)} -> {_short(count)} is not a synset with its count: "
                "give CoreNet's vocabulary"
            )
        match = _KEY.fullmatch(key)
        if match is None or int(match[1]) not in known:
            raise UserError(
                f"{path}: {_short(key)} is no noun of WordNet 3.0 (they look like n2084071): "
                "give a vocabulary made with that version"
            )
        if count < 0:
            raise UserError(f"{path}: {key} has the count {count}: give CoreNet's vocabulary")
        if last is not None and count > last:
            raise UserError(
                f"{path}: the counts do not fall at {key}, so its order is not that of classes: sort it first"
            )
        counts[int(match[1])] = last = count
    return Vocabulary.of_counts(counts)


def write_corenet_vocabulary(
    vocabulary: Vocabulary, path: Path, protocol: int = pickle.DEFAULT_PROTOCOL
) -> Path:
    """Writes what ``read_corenet_vocabulary`` reads, and CoreNet too; whole or not at all.

    Args:
        protocol: of pickle, 0 to 5.
    """
    path = Path(path)
    content = {
        f"n{synset}": count for synset, count in zip(vocabulary.synsets, vocabulary.counts, strict=True)
    }
    with replacing(path) as temporary:
        temporary.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


def read_corenet_metadata(path: Path) -> CorenetMetadata:
    """CoreNet's ``metadata.pkl``.

    Raises:
        UserError: the file is no pickle of plain data, or the three entries are not there, or disagree.
    """
    path = Path(path)
    content = _read_data(path)
    content = content if type(content) is dict else {}
    total, most, names = map(content.get, ("total_tar_files", "max_files_per_tar", "tar_file_names"))
    if (
        type(total) is not int
        or type(most) is not int
        or type(names) is not list
        or any(type(name) is not str for name in names)
        or not (total == len(names) > 0 and 0 < most < 1 << 32)
    ):
        raise UserError(
            f"{path} is not CoreNet's metadata: it must hold total_tar_files, max_files_per_tar and as many "
            "tar_file_names"
        )
    return CorenetMetadata(tuple(names), most)


def _read_data(path: Path) -> Any:
    """What a pickle of plain data holds.

    Raises:
        UserError: it cannot be read, or holds anything else.
    """
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= _LARGEST_FILE else None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): give CoreNet's pickle") from error
    if data is None:
        raise UserError(f"{path} takes {size >> 20} MiB, which no vocabulary does: give CoreNet's pickle")
    try:
        _check_opcodes(data)
        return _DataUnpickler(io.BytesIO(data)).load()
    except _Refused as error:
        raise UserError(
            f"{path} asks for {ascii(str(error))[1:-1][:80]}, and a stranger's pickle may not: nothing of it "
            "was run; give CoreNet's vocabulary or metadata"
        ) from None
    except _BROKEN as error:
        raise UserError(f"{path} is truncated, or no pickle: fetch it again") from error


def _check_opcodes(data: bytes) -> None:
    """Reads the program without running it, up to where it looks up a class or a function.

    The unpickler gets no further than that, and can name what was asked for.

    Raises:
        _Refused: it holds an opcode that builds anything but data, or that claims memory for nothing.
        ValueError: it is no program, or ends before its end.
    """
    places = 0
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name in _LOOK_UPS:
            return
        if opcode.name not in _DATA_OPCODES:
            raise _Refused(f"the opcode {opcode.name}")
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT"):
            if argument > places:  # the unpickler would make room for all places before this one
                raise _Refused(f"place {argument} of its memory")
            places = max(places, argument + 1)
        elif opcode.name == "MEMOIZE":
            places += 1
        elif type(argument) is int and argument.bit_length() > 63 and opcode.name != "FRAME":
            raise _Refused("a number of more than 64 bits")


def _kind(content: object) -> str:
    return "an empty dict" if content == {} else f"a {type(content).__name__}"


def _short(value: object) -> str:
    """A value that a stranger chose, for a line of text."""
    if type(value) in (str, int):
        return ascii(value)[:60]
    return f"a {type(value).__name__}"
