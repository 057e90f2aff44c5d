"""From words to WordNet 3.0 noun synsets, and from captions to CatLIP's labels: ``rule``, made fast."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache
from itertools import accumulate, chain

from pretraining.labels import captions
from pretraining.labels.lexicon import FORMAT, HYPERNYMS, NOUNS, read_table

_ENDINGS = (
    ("s", ""),
    ("ses", "s"),
    ("ves", "f"),
    ("xes", "x"),
    ("zes", "z"),
    ("ches", "ch"),
    ("shes", "sh"),
    ("men", "man"),
    ("ies", "y"),
)
_REMEMBERED_CHUNKS = 1 << 18  # at most some 100 MB


class Lexicon:
    """WordNet 3.0's nouns. ``Lexicon.load()`` gives the one instance; it takes about a tenth of a second."""

    def __init__(self) -> None:
        title, heads, senses, distances, others, row_distances, forms, _ = read_table(NOUNS).split("\n")
        if title != FORMAT:
            raise RuntimeError(
                f"pretraining/labels/lexicon/{NOUNS} is of another format than this code: compile it again"
            )
        self.offsets: list[int] = list(map(int, accumulate(map(int, distances.split(" ")))))
        self._heads = heads.split(" ")
        self._senses = senses.split(" ")
        self._headed = {
            head: offset
            for head, sense, offset in zip(self._heads, self._senses, self.offsets, strict=True)
            if sense == "1"
        }
        rows = accumulate(map(int, row_distances.split(" ")))
        self._others = dict(zip(others.split(" "), rows, strict=True))
        self._forms = {form: bases for form, *bases in (entry.split("=") for entry in forms.split(" "))}

    @staticmethod
    @lru_cache(maxsize=1)
    def load() -> Lexicon:
        """The lexicon, read once per process."""
        return Lexicon()

    def __contains__(self, lemma: str) -> bool:
        """Whether this is a noun lemma of WordNet (lower case, ``_`` between words)."""
        return lemma in self._headed or lemma in self._others

    def lemmas(self) -> Iterator[str]:
        """All noun lemmas."""
        return chain(self._headed, self._others)

    def irregular_forms(self) -> Iterator[str]:
        """Inflected forms that the rules do not explain ("mice")."""
        return iter(self._forms)

    def lemmatize(self, token: str) -> str:
        """The shortest noun lemma that the token can be a form of, or the token itself.

        As ``WordNetLemmatizer().lemmatize(token)`` of NLTK 3.8.1: irregular forms stand instead of the rules,
        the rules are applied again and again until they give a lemma ("womens", "women", "woman"), and the
        first of equally short lemmas wins.
        """
        irregular = self._forms.get(token)
        forms = _without_ending(token) if irregular is None else irregular
        known = self._known([token, *forms])
        while forms and not known and irregular is None:
            forms = [shorter for form in forms for shorter in _without_ending(form)]
            known = self._known(forms)
        return min(known, key=len) if known else token

    def _known(self, forms: list[str]) -> list[str]:
        return [form for form in forms if form in self._headed or form in self._others]

    def first_synset(self, lemma: str) -> int | None:
        """Offset of the lemma's first noun sense, if the lemma heads that synset; else None.

        "puppy" gives ``puppy.n.01``; "automobile" gives None, because its first sense is ``car.n.01``.
        """
        return self._headed.get(lemma)

    def first_sense(self, lemma: str) -> int | None:
        """Offset of the lemma's first noun sense, whichever lemma heads it; None without one."""
        offset = self._headed.get(lemma)
        if offset is None and (row := self._others.get(lemma)) is not None:
            offset = self.offsets[row]
        return offset

    def label(self, token: str) -> int | None:
        """The label of one token of a cleaned caption, or None."""
        if token.endswith(("s", "men")) or token in self._forms:
            token = self.lemmatize(token)
        return self._headed.get(token)

    def __getstate__(self) -> dict[str, object]:
        raise TypeError("the lexicon is not sent between processes: call Lexicon.load() there")

    def name(self, offset: int) -> str:
        """The synset's name, like ``dog.n.01``.

        Raises:
            KeyError: no noun synset has this offset.
        """
        row = self.row_of[offset]
        return f"{self._heads[row]}.n.{int(self._senses[row]):02d}"

    def offset(self, name: str) -> int:
        """Offset of a synset's name, like ``dog.n.01`` (the head lemma's name only).

        Raises:
            KeyError: no noun synset has this name.
        """
        return self._offset_of_name[name]

    def hypernyms(self, offset: int) -> tuple[int, ...]:
        """Offsets of the hypernyms and instance hypernyms, rising.

        Raises:
            KeyError: no noun synset has this offset.
        """
        line = self._hypernym_lines[self.row_of[offset]]
        return tuple(self.offsets[int(row)] for row in line.split())

    def distances(self, offset: int) -> dict[int, int]:
        """Every ancestor of a synset, itself included, with the number of steps up to it."""
        found: dict[int, int] = {}
        queue = deque([(offset, 0)])
        while queue:
            ancestor, steps = queue.popleft()
            if ancestor not in found:
                found[ancestor] = steps
                queue.extend((parent, steps + 1) for parent in self.hypernyms(ancestor))
        return found

    def path_similarity(self, first: int, second: int) -> float:
        """How near two synsets are, as NLTK computes it: in (0, 1], 1 for the same.

        It is 1 / (1 + steps on the shortest way up from one and down to the other).
        """
        above = self.distances(second)
        return 1.0 / (1 + min(steps + above[a] for a, steps in self.distances(first).items() if a in above))

    @cached_property
    def row_of(self) -> dict[int, int]:
        """Offset -> its position in ``offsets``; its keys are all noun synsets."""
        return {offset: row for row, offset in enumerate(self.offsets)}

    @cached_property
    def _offset_of_name(self) -> dict[str, int]:
        return {self.name(offset): offset for offset in self.offsets}

    @cached_property
    def _hypernym_lines(self) -> list[str]:
        return read_table(HYPERNYMS).split("\n")


def _without_ending(form: str) -> list[str]:
    """What the rules make of a form, each applied once."""
    if form[-1:] == "s" and form[-2:] != "es":
        return [form[:-1]]  # the one rule that applies, to most words that any does
    return [form[: -len(old)] + new for old, new in _ENDINGS if form.endswith(old)]


class _ChunkLabels(dict):
    """Chunk of a raw caption -> its one label, 0 for none, or -1 where the chunk alone does not tell.

    It is filled as chunks come. When it is full it starts anew, but takes over what comes again.
    """

    def __init__(self, label: Callable[[str], int | None], size: int) -> None:
        self._label = label
        self._size = size
        self._before: dict[str, int] = {}

    def __missing__(self, chunk: str) -> int:
        found = self._before.get(chunk)
        if found is None:
            if chunk.isalnum() and chunk.isascii() and (word := chunk.lower()) not in captions.TAKEN_APART:
                found = self._label(word) or 0
            else:
                found = self._label_of_words(chunk, captions.words_of_raw_chunk(chunk))
        if len(self) >= self._size:
            self._before = dict(self)
            self.clear()
        if len(chunk) <= captions.LONG:
            self[chunk] = found
        return found

    def _label_of_words(self, chunk: str, words: tuple[str, ...] | None) -> int:
        if words is None:
            # Whether the period of a letter or number stays ("2019.") matters only if it decides a label.
            word = chunk[:-1].lower()
            short = word.isascii() and word.isalnum() and (len(word) == 1 or word.isdecimal())
            if short and chunk[-1] == "." and self._label(word) is None and self._label(f"{word}.") is None:
                return 0
            return -1
        labels = [label for label in map(self._label, words) if label is not None]
        if not labels:
            return 0
        return labels[0] if len(labels) == 1 else -1


class Labeller:
    """Labels captions; remembers what it has seen, in bounded memory.

    Args:
        size: how many chunks (words with their punctuation) are remembered, twice over.
    """

    def __init__(self, size: int = _REMEMBERED_CHUNKS) -> None:
        self._label = Lexicon.load().label
        self.label_of_chunk = _ChunkLabels(self._label, size).__getitem__

    def label_many(self, texts: Iterable[str]) -> list[tuple[int, ...]]:
        """For each caption the offsets of its synsets, each once, in order of appearance.

        Exactly ``rule.reference_label``. In most captions every chunk is labelled by one look-up; the others
        are cleaned and split properly.

        Raises:
            TypeError: a caption is not text.
        """
        label_of, once, found = self.label_of_chunk, dict.fromkeys, []
        for text in texts:
            try:
                labels = tuple(once(filter(None, map(label_of, text.split(" ")))))
            except (AttributeError, TypeError):
                if isinstance(text, str):
                    raise
                raise TypeError(f"a caption must be text, not {type(text).__name__}") from None
            found.append(labels if -1 not in labels else self.label_with_care(text))
        return found

    def label_with_care(self, text: str) -> tuple[int, ...]:
        """The labels of one caption, cleaned and split properly."""
        words = captions.words(captions.clean(text))
        return tuple(dict.fromkeys(filter(None, map(self._label, words))))


@lru_cache(maxsize=1)
def _labeller() -> Labeller:
    return Labeller()


def label_many(texts: Iterable[str]) -> list[tuple[int, ...]]:
    """For each caption the offsets of its noun synsets, each once, in order of appearance.

    Raises:
        TypeError: a caption is not text.
    """
    return _labeller().label_many(texts)


def label(text: str) -> tuple[int, ...]:
    """The offsets of a caption's noun synsets, each once, in order of appearance.

    >>> [Lexicon.load().name(offset) for offset in label("Two dogs playing in the snow")]
    ['two.n.01', 'dog.n.01', 'playing.n.01', 'snow.n.01']
    """
    return label_many((text,))[0]
