"""The classes of CatLIP: the synsets that the captions of a corpus mention often enough."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from common.digest import digest
from common.errors import UserError
from common.files import write_text
from pretraining.labels.synsets import Lexicon

_HEADER = ["synset", "name", "count"]
_NUMBER = re.compile("[0-9]{1,18}")
_LARGEST = 64 << 20  # characters; the 82,115 nouns of WordNet take three million


@dataclass(frozen=True)
class Vocabulary:
    """Synsets in the order of their classes, the commonest first.

    Attributes:
        synsets: WordNet 3.0 noun offsets; class k is ``synsets[k]``.
        names: their names, like ``dog.n.01``.
        counts: in how many captions of the corpus each was found.
    """

    synsets: tuple[int, ...]
    names: tuple[str, ...]
    counts: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.synsets)

    def index(self, offset: int) -> int | None:
        """The class of a synset, or None."""
        return self._classes.get(offset)

    @cached_property
    def _classes(self) -> dict[int, int]:
        return {offset: index for index, offset in enumerate(self.synsets)}

    @property
    def digest(self) -> str:
        """Digest of the synsets in order: what a classifier's rows mean."""
        return digest(list(self.synsets))

    @classmethod
    def count(cls, sidecars: Iterable[Path], min_count: int = 1, max_size: int | None = None) -> Vocabulary:
        """The vocabulary of labelled captions; memory does not grow with their number.

        A caption counts once for each of its synsets. Equally frequent synsets are in order of offset, so
        the result does not depend on the order of the files.

        Args:
            sidecars: files of labels (``*.synsets.parquet``).
            min_count: synsets in fewer captions are left out. The paper keeps those seen more than V_tau =
                500 times, which is ``min_count=501``.
            max_size: the commonest so many are kept (CoreNet: 24,320).

        Raises:
            UserError: no synset is frequent enough, or a file is no sidecar or holds an unknown synset.
        """
        import numpy

        lexicon = Lexicon.load()
        offsets = numpy.asarray(lexicon.offsets)
        counts = numpy.zeros(len(offsets), dtype=numpy.int64)
        read = 0
        for sidecar in sidecars:
            read += 1
            for lists in _label_blocks(Path(sidecar)):
                values = lists.flatten().to_numpy(zero_copy_only=False)
                rows = numpy.minimum(numpy.searchsorted(offsets, values), len(offsets) - 1)
                if (wrong := offsets[rows] != values).any():
                    raise UserError(
                        f"{sidecar} holds {values[wrong][0]}, no WordNet 3.0 noun synset: label it again"
                    )
                counts += numpy.bincount(rows, minlength=len(offsets))
        order = numpy.argsort(-counts, kind="stable")
        order = order[counts[order] > 0]
        if len(order) == 0:
            raise UserError(f"no caption of the {read} files of labels has a synset: label more captions")
        counted = cls.of_counts({int(offsets[row]): int(counts[row]) for row in order})
        return counted.cut(min_count, max_size)

    @classmethod
    def of_counts(cls, counts: dict[int, int]) -> Vocabulary:
        """The vocabulary of counts that fall already; the order of equal ones is kept.

        Raises:
            KeyError: a key is no noun synset.
        """
        lexicon = Lexicon.load()
        return cls(tuple(counts), tuple(map(lexicon.name, counts)), tuple(counts.values()))

    def cut(self, min_count: int = 1, max_size: int | None = None) -> Vocabulary:
        """Its commonest synsets.

        Args:
            min_count: synsets in fewer captions are left out (V_tau = 500 is ``min_count=501``).
            max_size: no more than so many are kept.

        Raises:
            UserError: none is left.
        """
        size = sum(count >= min_count for count in self.counts)
        size = size if max_size is None else min(size, max_size)
        if size < 1:
            raise UserError(
                f"no synset is in {min_count} captions, the commonest is in {max(self.counts)}: "
                "lower --min-count or label more captions"
            )
        return Vocabulary(self.synsets[:size], self.names[:size], self.counts[:size])

    @staticmethod
    def _checked(rows: Iterator[list[str]]) -> dict[int, int]:
        """Synset -> count; ValueError says what is wrong with the last row taken."""
        if next(rows, None) != _HEADER:
            raise ValueError(f"it should start with {','.join(_HEADER)}")
        lexicon = Lexicon.load()
        counts: dict[int, int] = {}
        last = None
        for row in rows:
            if len(row) != 3 or not (_NUMBER.fullmatch(row[0]) and _NUMBER.fullmatch(row[2])):
                raise ValueError("it is not synset,name,count")
            synset, name, count = int(row[0]), row[1], int(row[2])
            if synset not in lexicon.row_of:
                raise ValueError(f"{synset} is no WordNet 3.0 noun synset")
            if name != (expected := lexicon.name(synset)):
                raise ValueError(f"{synset} is {expected}, not {name}")
            if synset in counts:
                raise ValueError(f"{name} is there twice")
            if last is not None and count > last:
                raise ValueError("the counts do not fall")
            counts[synset] = last = count
        return counts

    def save(self, path: Path) -> Path:
        """Writes ``synset,name,count`` as csv, whole or not at all.

        Raises:
            UserError: there is a file that is no vocabulary.
        """
        path = Path(path)
        if path.is_file() and not _begins_as_vocabulary(path):
            raise UserError(f"{path} is no vocabulary, and is not written over: name another file")
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_HEADER)
        writer.writerows(zip(self.synsets, self.names, self.counts, strict=True))
        write_text(path, text.getvalue())
        return path

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Reads what ``save`` wrote.

        Raises:
            UserError: the file is missing or empty, a line cannot be read, a synset is unknown or there
                twice, or the counts do not fall.
        """
        path = Path(path)
        remedy = "write it again with python run_suite.py vocabulary"
        try:
            with path.open(encoding="utf-8", newline="") as file:
                text = file.read(_LARGEST + 1)
            if len(text) > _LARGEST:
                raise UserError(f"{path} is larger than any vocabulary: {remedy}")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path} cannot be read as a vocabulary: {remedy}") from error
        rows = csv.reader(io.StringIO(text))
        try:
            counts = cls._checked(rows)
        except (ValueError, csv.Error) as error:
            raise UserError(f"{path} line {rows.line_num}: {error}; {remedy}") from error
        if not counts:
            raise UserError(f"{path} holds no synset: {remedy}")
        return cls.of_counts(counts)


def _begins_as_vocabulary(path: Path) -> bool:
    with path.open("rb") as file:
        begin = file.readline(100).strip()
    return begin in (b"", ",".join(_HEADER).encode())


def labels_per_caption(sidecars: Iterable[Path]) -> list[int]:
    """How many captions have 0, 1, 2, ... labels.

    Raises:
        UserError: a file is no sidecar.
    """
    import numpy
    import pyarrow.compute

    found = numpy.zeros(0, dtype=numpy.int64)
    for sidecar in sidecars:
        for lists in _label_blocks(Path(sidecar)):
            lengths = pyarrow.compute.list_value_length(lists).to_numpy(zero_copy_only=False)
            counts = numpy.bincount(lengths, minlength=len(found))
            counts[: len(found)] += found
            found = counts
    return found.tolist()


def _label_blocks(sidecar: Path) -> Iterator[Any]:
    """The labels of a sidecar, block by block, as Arrow's lists of offsets."""
    import pyarrow
    import pyarrow.parquet

    from pretraining.labels.sidecars import read_facts

    read_facts(sidecar)
    try:
        with pyarrow.parquet.ParquetFile(sidecar) as file:
            for batch in file.iter_batches(columns=["synsets"]):
                yield batch.column(0)
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{sidecar} cannot be read: label its captions again") from error
