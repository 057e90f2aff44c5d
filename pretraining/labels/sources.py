"""Captions out of the files they come in: one reader per format, all yielding ``(key, caption, problem)``.

====================================  ==================================  ==============================
format                                key                                 caption
====================================  ==================================  ==============================
WebDataset (.tar .tar.gz .tgz)        member's name up to its first dot   .txt, or else "caption" in .json
.parquet (img2dataset's, DataComp's)  column key or uid, or else the row  column caption, text or TEXT
.jsonl                                key or uid, or else the line        caption, text or TEXT
.txt                                  line                                the line; empty ones count
====================================  ==================================  ==============================

Rows and lines are numbered from 0. A sample whose caption cannot be used, or is larger than any caption, is
yielded with the problem in words and no caption; a file that cannot be read to its end is a UserError.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from common.archives import BROKEN_TAR, member_bytes, members, open_tar
from common.errors import UserError, first_line

Sample = tuple[str, str | None, str | None]
SIDECAR_SUFFIX = ".synsets.parquet"  # files of labels, which are no captions
GIVE_FILES = "give tar shards, .parquet, .jsonl or .txt files"
_CAPTION_NAMES = ("caption", "text", "TEXT")
_KEY_NAMES = ("key", "uid")
_LARGEST_CAPTION = 1 << 20  # characters, of which the slowest take some seconds
_LARGEST_RECORD = 16 << 20  # bytes of a line, a .txt or a .json, which may hold all of a photo's EXIF
_TOO_LARGE = "it takes more than 16 MiB"


def read_captions(path: Path) -> Iterator[Sample]:
    """``(key, caption, problem)`` of every sample in the file, in its order.

    Raises:
        UserError: the file is missing or of an unknown type; later, where it is damaged or holds a key twice.
    """
    path = Path(path)
    _, reader = _format(path)
    if not path.is_file():
        raise UserError(f"{path} does not exist: {GIVE_FILES}")
    return _with_good_keys(reader(path))


def _with_good_keys(samples: Iterator[Sample]) -> Iterator[Sample]:
    for key, caption, problem in samples:
        try:
            key.encode()
        except UnicodeEncodeError:
            yield key.encode("utf-8", "backslashreplace").decode(), None, "its name is not UTF-8"
        else:
            yield key, caption, problem


def find_captions(entry: Path) -> list[Path]:
    """A file of captions itself, or those in a folder and the folders below it, sorted.

    Of a folder with tar shards these alone are taken: img2dataset writes a parquet of the same name beside
    each. Sidecars and hidden files do not count.

    Raises:
        UserError: there is nothing, or a folder holds files of several other kinds.
    """
    entry = Path(entry)
    if not entry.is_dir():
        if not entry.is_file():
            raise UserError(f"{entry} does not exist: {GIVE_FILES}")
        return [entry]
    kinds: dict[str, list[Path]] = {}
    for path in sorted(entry.rglob("*")):
        kind = _kind_of(path)
        if (
            kind
            and path.is_file()
            and not path.name.startswith(".")
            and not path.name.endswith(SIDECAR_SUFFIX)
        ):
            kinds.setdefault(kind, []).append(path)
    if ".tar" in kinds or len(kinds) == 1:
        return kinds.get(".tar") or next(iter(kinds.values()))
    if not kinds:
        raise UserError(f"{entry} holds no captions: {GIVE_FILES}")
    held = " and ".join(f"{len(paths):,} {kind}" for kind, paths in kinds.items())
    raise UserError(f"{entry} holds {held} files, any of which may be captions: name the files")


def stem_of(path: Path) -> str:
    """A file's name without the ending that says its format ("00000.tar" -> "00000").

    Raises:
        UserError: the ending is unknown.
    """
    ending, _ = _format(Path(path))
    return Path(path).name[: -len(ending)]


def _kind_of(path: Path) -> str | None:
    """``.tar`` (packed or not), ``.parquet``, ``.jsonl`` or ``.txt``; None for any other file."""
    for ending, reader in _READERS.items():
        if path.name.lower().endswith(ending):
            return ".tar" if reader is _read_tar else ending
    return None


def _format(path: Path) -> tuple[str, Callable[[Path], Iterator[Sample]]]:
    for ending, reader in _READERS.items():
        if path.name.lower().endswith(ending):
            return ending, reader
    raise UserError(f"{path} has an unknown ending: give files named {', '.join(_READERS)}")


def _usable(caption: Any) -> tuple[str | None, str | None]:
    """The caption and the problem with it, one of which is None."""
    if caption is None:
        return None, "no caption"
    if not isinstance(caption, str):
        return None, f"its caption is a {type(caption).__name__}, not text"
    if len(caption) > _LARGEST_CAPTION:
        return None, f"its caption has {len(caption):,} characters"
    return caption, None


def caption_of_files(files: Mapping[str, bytes | None]) -> tuple[str | None, str | None]:
    """The caption of a sample in a shard and the problem with it, one of which is None.

    Args:
        files: ending -> content; None where a file is too large to be read.
    """
    if "txt" in files:
        return _decoded(files["txt"])
    if "json" in files:
        return _of_json(files["json"], ("caption",))[1:]
    return None, "no .txt and no .json"


def _decoded(data: bytes | None) -> tuple[str | None, str | None]:
    if data is None:
        return None, _TOO_LARGE
    try:
        return _usable(data.decode("utf-8"))
    except UnicodeDecodeError:
        return None, "its caption is not UTF-8"


def _of_json(data: bytes | None, names: Iterable[str]) -> tuple[dict[str, Any], str | None, str | None]:
    """The record, its caption and the problem."""
    if data is None:
        return {}, None, _TOO_LARGE
    try:
        record = json.loads(data)
    except (ValueError, RecursionError):  # ValueError also of bytes that are not UTF-8
        return {}, None, "its JSON cannot be read"
    if not isinstance(record, dict):
        return {}, None, "its JSON is not an object"
    return record, *_usable(next((record[name] for name in names if record.get(name) is not None), None))


def _read_tar(path: Path) -> Iterator[Sample]:
    seen: set[str] = set()
    for key, files in _samples_of_tar(path):
        if key in seen:
            raise UserError(
                f"{path} holds {key!r} twice, or its files are not side by side: write the shard again"
            )
        seen.add(key)
        yield key, *caption_of_files(files)


def _samples_of_tar(path: Path) -> Iterator[tuple[str, dict[str, bytes | None]]]:
    """Each sample's key and caption files; pictures are passed over without being read."""
    current: str | None = None
    files: dict[str, bytes | None] = {}
    try:
        with open_tar(path, _LARGEST_RECORD, packed=not path.name.lower().endswith(".tar")) as tar:
            for member in members(tar):
                folder, slash, name = member.name.rpartition("/")
                base, _, ending = name.partition(".")
                if not (member.isfile() and base and ending) or base.startswith("__"):
                    continue
                key = folder + slash + base
                if key != current:
                    if current is not None:
                        yield current, files
                    current, files = key, {}
                if (ending := ending.lower()) in ("txt", "json"):
                    if ending in files:
                        raise UserError(f"{path} holds {key}.{ending} twice: write the shard again")
                    files[ending] = member_bytes(tar, member, _LARGEST_RECORD)
            tar.fileobj.seek(tar.offset)
            end = tar.fileobj.read(tarfile.BLOCKSIZE)
    except BROKEN_TAR as error:
        reason = first_line(error)
        raise UserError(f"{path} cannot be read ({reason}): truncated, or no tar; fetch it again") from error
    if end.count(0) != tarfile.BLOCKSIZE:  # tarfile takes any damage after the first file for the end
        raise UserError(f"{path} is truncated or damaged: its end is missing; fetch it again")
    if current is not None:
        yield current, files


def _read_parquet(path: Path) -> Iterator[Sample]:
    import pyarrow
    import pyarrow.parquet

    seen: set[str] = set()
    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            columns = file.schema_arrow.names
            text = next((name for name in _CAPTION_NAMES if name in columns), None)
            if text is None:
                raise UserError(
                    f"{path} has no column {', '.join(_CAPTION_NAMES)}: rename that of the captions"
                )
            name = next((name for name in _KEY_NAMES if name in columns), None)
            for batch in file.iter_batches(batch_size=1 << 14, columns=[text, name] if name else [text]):
                captions = batch.column(text).to_pylist()
                keys = batch.column(name).to_pylist() if name else range(number, number + len(captions))
                number += len(captions)
                for key, caption in zip(map(str, keys), captions, strict=True):
                    if name and key in seen:
                        raise UserError(f"{path} holds the {name} {key!r} twice: remove one of the rows")
                    seen.add(key)
                    yield key, *_usable(caption)
    except (pyarrow.ArrowException, OSError, MemoryError, UnicodeDecodeError) as error:
        reason = first_line(error)
        raise UserError(f"{path} cannot be read as parquet ({reason}): fetch it again") from error


def _lines(path: Path) -> Iterator[bytes | None]:
    """The lines of a file without their ends; None for one that is too large to be held."""
    with path.open("rb") as file:
        while line := file.readline(_LARGEST_RECORD):
            whole = line
            while len(line) == _LARGEST_RECORD and not line.endswith(b"\n"):
                whole, line = None, file.readline(_LARGEST_RECORD)
            yield None if whole is None else whole.removesuffix(b"\n").removesuffix(b"\r")


def _read_jsonl(path: Path) -> Iterator[Sample]:
    for number, line in enumerate(_lines(path)):
        record, caption, problem = _of_json(line, _CAPTION_NAMES)
        yield str(next((record[name] for name in _KEY_NAMES if name in record), number)), caption, problem


def _read_text(path: Path) -> Iterator[Sample]:
    for number, line in enumerate(_lines(path)):
        yield str(number), *_decoded(line)


_READERS: dict[str, Callable[[Path], Iterator[Sample]]] = {
    ".tar": _read_tar,
    ".tar.gz": _read_tar,
    ".tgz": _read_tar,
    ".parquet": _read_parquet,
    ".jsonl": _read_jsonl,
    ".txt": _read_text,
}
