"""Labels of captions by the hundred thousand: what ``Labeller.label_many`` gives, as arrays, and faster.

Arrow splits the captions into chunks (what stands between two spaces) and finds the distinct ones. Most are
a plain word with punctuation around: Arrow takes that off, and looks the word up in a table of the nouns'
forms. The others go the way of ``Labeller``, one at a time. NumPy puts the labels together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from pretraining.labels import captions
from pretraining.labels.synsets import Labeller, Lexicon

IntArray = Any  # numpy.ndarray; NumPy and Arrow are imported only where they are used
StringArray = Any  # pyarrow.StringArray
_CHARACTERS_AT_ONCE = 1 << 25  # in Arrow's hands, where a word takes some 40 bytes
_PLAIN = "^[a-z0-9]+(?:[-/|][a-z0-9]+)*$"  # a word that NLTK leaves whole
_FEW = 16  # labels of a caption; up to so many, each is compared with each
_UNDECIDED = -1  # the label of a chunk that needs its neighbours, or has several


class ArrayLabeller:
    """Labels captions; remembers, in bounded memory, the chunks that are no plain words.

    Args:
        labeller: labels what Arrow cannot, and remembers it.
    """

    def __init__(self, labeller: Labeller | None = None) -> None:
        self._labeller = labeller or Labeller()

    def __call__(self, texts: Sequence[str]) -> tuple[IntArray, IntArray]:
        """The labels of many captions.

        Args:
            texts: n captions; the more at once, the less time each takes.

        Returns:
            ends: int32 [n + 1], values: int32 [total]; caption i has ``values[ends[i]:ends[i + 1]]``, each
            label once, in order of appearance.

        Raises:
            TypeError: a caption is not text.
        """
        import numpy
        import pyarrow
        import pyarrow.compute

        if not all(issubclass(kind, str) for kind in set(map(type, texts))):
            return _flat(self._labeller.label_many(texts))
        if len(texts) > 1 and sum(map(len, texts)) > _CHARACTERS_AT_ONCE:
            half = len(texts) // 2
            (ends, values), (more_ends, more) = map(self, (texts[:half], texts[half:]))
            return numpy.concatenate((ends, ends[-1] + more_ends[1:])), numpy.concatenate((values, more))
        try:
            column = pyarrow.array(texts, pyarrow.string())
        except UnicodeEncodeError:  # half of a surrogate pair
            return _flat(self._labeller.label_many(texts))
        lists = pyarrow.compute.split_pattern(column, pattern=" ")
        chunks = lists.values.dictionary_encode()
        labels = _labels_of_chunks(chunks.dictionary, self._labeller.label_of_chunk)
        labels = labels[chunks.indices.to_numpy()]
        kept = labels != 0
        values = labels[numpy.flatnonzero(kept)]
        before = numpy.zeros(len(kept) + 1, numpy.int32)
        numpy.cumsum(kept, out=before[1:])
        ends = before[lists.offsets.to_numpy()]
        rows = numpy.repeat(numpy.arange(len(texts)), numpy.diff(ends))
        if (undecided := values == _UNDECIDED).any():
            again = numpy.unique(rows[undecided])
            found = [self._labeller.label_with_care(texts[row]) for row in again]
            ends, values = _replaced(ends, values, rows, again, found)
            rows = numpy.repeat(numpy.arange(len(texts)), numpy.diff(ends))
        repeated = _repeated(ends, rows, values)
        if repeated.any():
            values = values[~repeated]
            ends = ends - numpy.concatenate(([0], numpy.cumsum(repeated)))[ends]
        return ends.astype(numpy.int32), values


@lru_cache(maxsize=1)
def _labeller() -> ArrayLabeller:
    return ArrayLabeller()


def label_arrays(texts: Sequence[str]) -> tuple[IntArray, IntArray]:
    """``ArrayLabeller`` with the memory of this process."""
    return _labeller()(texts)


@lru_cache(maxsize=1)
def _forms() -> tuple[StringArray, IntArray]:
    """Words, in lower case, and their labels; `_UNDECIDED` where NLTK takes the word apart.

    All plain words that have a label are there, but for those that end in "s" or "men" and are no lemma's
    regular plural nor irregular: for these the rules must be applied, once or several times.
    """
    import numpy
    import pyarrow

    lexicon, is_plain = Lexicon.load(), re.compile(_PLAIN).search
    words = [form for lemma in lexicon.lemmas() for form in (lemma, f"{lemma}s")]
    words = filter(is_plain, chain(words, lexicon.irregular_forms()))
    labels = {word: label for word in words if (label := lexicon.label(word)) is not None}
    labels |= dict.fromkeys(captions.TAKEN_APART, _UNDECIDED)
    return pyarrow.array(labels, pyarrow.string()), numpy.fromiter(labels.values(), numpy.int32, len(labels))


def _labels_of_chunks(chunks: StringArray, label_of_chunk: Callable[[str], int]) -> IntArray:
    """The one label of each chunk of a raw caption; 0 for none, `_UNDECIDED` where it does not tell."""
    import numpy
    import pyarrow.compute as arrow

    forms, labels_of_forms = _forms()
    opened = arrow.ascii_ltrim(chunks, captions.OPENING)
    ended = arrow.ascii_rtrim(opened, captions.ENDING)
    word = arrow.ascii_lower(arrow.ascii_rtrim(ended, "."))
    periods = _numpy(arrow.binary_length(ended)) - _numpy(arrow.binary_length(word))
    # NLTK makes a word of its own of "'s", which is no noun
    owner = arrow.binary_slice(word.cast("binary"), 0, -2)
    word = arrow.if_else(arrow.ends_with(word, "'s"), owner, word).cast("string")
    # a period is split off a word of letters that it ends; a letter or a number may keep it
    one_ends = (
        (periods == 1)
        & _numpy(arrow.ends_with(arrow.ascii_rtrim(opened, captions.ENDING_AFTER_PERIOD), "."))
        & _numpy(arrow.ascii_is_alpha(word))
        & (_numpy(arrow.binary_length(word)) > 1)
    )
    plain = _numpy(arrow.ascii_is_alnum(word))
    joined = numpy.flatnonzero(~plain)
    some = word.take(joined)
    plain[joined] = _numpy(arrow.match_substring_regex(some, _PLAIN)) & ~_numpy(
        arrow.match_substring_regex(some, "|".join(captions.TAKEN_APART))
    )
    plain &= (periods == 0) | one_ends
    index = _numpy(arrow.index_in(word, forms).fill_null(-1))
    labels = numpy.where(index >= 0, labels_of_forms[index], 0).astype(numpy.int32)
    inflected = _numpy(arrow.or_(arrow.ends_with(word, "s"), arrow.ends_with(word, "men")))
    others = numpy.flatnonzero(~plain | (labels == _UNDECIDED) | (inflected & (index < 0)))
    labels[others] = numpy.fromiter(
        map(label_of_chunk, chunks.take(others).to_pylist()), numpy.int32, len(others)
    )
    return labels


def _numpy(array: Any) -> Any:
    return array.to_numpy(zero_copy_only=False)


def _repeated(ends: IntArray, rows: IntArray, values: IntArray) -> IntArray:
    """Which values stand in the same row before."""
    import numpy

    counts = numpy.diff(ends)
    repeated = numpy.zeros(len(values), dtype=bool)
    for step in range(1, min(_FEW, counts.max(initial=0))):
        same = numpy.flatnonzero(values[step:] == values[:-step])
        repeated[same[rows[same] == rows[same + step]] + step] = True
    if (many := numpy.flatnonzero((counts > _FEW)[rows])).size:
        _, first = numpy.unique((rows[many] << 24) | values[many], return_index=True)  # offsets: below 2**24
        repeated[many] = True
        repeated[many[first]] = False
    return repeated


def _replaced(
    ends: IntArray, values: IntArray, rows: IntArray, again: IntArray, found: list[tuple[int, ...]]
) -> tuple[IntArray, IntArray]:
    """The arrays with the rows ``again`` as ``found``."""
    import numpy

    counts = numpy.diff(ends)
    counts[again] = list(map(len, found))
    changed = numpy.zeros(len(counts), dtype=bool)
    changed[again] = True
    from_found = numpy.repeat(changed, counts)
    replaced = numpy.empty(len(from_found), numpy.int32)
    replaced[~from_found] = values[~changed[rows]]
    replaced[from_found] = list(chain.from_iterable(found))
    return numpy.concatenate(([0], numpy.cumsum(counts))), replaced


def _flat(found: list[tuple[int, ...]]) -> tuple[IntArray, IntArray]:
    import numpy

    ends = numpy.cumsum([0, *map(len, found)], dtype=numpy.int32)
    return ends, numpy.fromiter(chain.from_iterable(found), numpy.int32, int(ends[-1]))
