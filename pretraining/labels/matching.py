"""From a target's labels to classes of the vocabulary, for Transfer Init (arXiv 2404.15653, section 4.2).

A label is first read as one or several synsets, each of these is then matched with the nearest class. The
paper publishes neither how names become synsets nor alpha; what is done here:

- WordNet ids (``n02084071``, or ``n2084071`` as CoreNet writes it) and names of synsets (``dog.n.01``) are
  taken at their word.
- Of alternatives (``door;double door``, ``tench, Tinca tinca``) the first that WordNet knows counts. Of
  Places365's names (``/b/bow_window/indoor``) letter and qualifier are left out.
- A name of several words is looked up whole ("fire hydrant"; also joined and with hyphens), then, if WordNet
  does not have it, part by part, the longest parts first ("restaurant kitchen": two synsets).
- The synset is the first noun sense of the lemma, as in CatLIP, but here whichever lemma heads it: "couch" is
  ``sofa.n.01``. The first sense is not always the one meant: COCO's "mouse" becomes the animal, ADE20K's
  "van" the avant-garde. The table of matches shows every choice; WordNet ids settle it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from string import ascii_lowercase

from common.errors import UserError
from pretraining.labels.sidecars import FUNCTION_WORDS
from pretraining.labels.synsets import Lexicon
from pretraining.labels.vocabulary import Vocabulary

EXACT, SIMILAR, OUTSIDE, UNKNOWN = "exact", "similar", "outside", "unknown"
IN_PART, NONE = "in part", "none"

_OFFSET = re.compile(r"n([0-9]{4,8})")
_SYNSET = re.compile(r"\S+\.n\.[0-9]{2,}")
_PLACES = re.compile(r"/[a-z]/([^/]+)(?:/.*)?")
_NO_START = FUNCTION_WORDS | set(ascii_lowercase)
_REMARK = re.compile(r"\([^)]*\)")


@dataclass(frozen=True)
class Match:
    """One synset of one label, and the class nearest to it.

    Attributes:
        target: position of the label among the target's classes.
        label: the label as it was given.
        phrase: the part of it that was read as this synset; "" where WordNet knows none.
        synset: WordNet 3.0 offset, or None.
        name: the synset's name, or None.
        class_index: the class to copy from; None where no class is as near as alpha.
        class_name: the nearest class's synset, near enough or not; None where there is no synset.
        similarity: WordNet path similarity to it, in (0, 1]; 0 where there is no synset.
        kind: ``exact``, ``similar`` (at least alpha), ``outside`` (no class is near enough) or ``unknown``.
    """

    target: int
    label: str
    phrase: str
    synset: int | None
    name: str | None
    class_index: int | None
    class_name: str | None
    similarity: float
    kind: str


class NearestClass:
    """Finds the class nearest to a synset, by path similarity; of equally near ones the commonest.

    The shortest way between two synsets leads up to a common ancestor and down again. So of every ancestor
    of a class only the nearest class below is kept (found for all at once, one level up at a time), and a
    search looks at a synset's ancestors alone.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._lexicon = Lexicon.load()
        self._below: dict[int, tuple[int, int]] = {}  # ancestor -> steps down to the nearest class, the class
        level = {synset: index for index, synset in enumerate(vocabulary.synsets)}
        steps = 0
        while level:
            self._below.update((synset, (steps, index)) for synset, index in level.items())
            above: dict[int, int] = {}
            for synset, index in level.items():
                for parent in self._lexicon.hypernyms(synset):
                    if parent not in self._below:
                        above[parent] = min(index, above.get(parent, index))
            level = above
            steps += 1

    def __call__(self, synset: int) -> tuple[int, float]:
        """The class, and the similarity: ``Lexicon.path_similarity`` of both synsets.

        Raises:
            KeyError: no noun synset has this offset.
        """
        steps, index = min(
            (up + self._below[ancestor][0], self._below[ancestor][1])
            for ancestor, up in self._lexicon.distances(synset).items()
            if ancestor in self._below
        )
        return index, 1.0 / (1 + steps)


def synsets_of_label(label: str) -> list[tuple[str, int]]:
    """The synsets that a label names, each with the part of the label that names it.

    Returns:
        None, one or several; see the top of this file for the rules.

    Raises:
        UserError: it is a WordNet id, or the name of a synset, that WordNet 3.0's nouns do not have.
    """
    label = label.strip()
    if (offset := _named_offset(label)) is not None:
        return [(label, offset)]
    if match := _PLACES.fullmatch(label):
        label = match[1]
    label = _REMARK.sub(" ", label.lower().replace("_", " "))
    alternatives = [words for part in re.split("[;,]", label) if (words := part.split())]
    for words in alternatives:
        if (offset := _first_sense(words)) is not None:
            return [(" ".join(words), offset)]
    return next(filter(None, map(_part_by_part, alternatives)), [])


def _named_offset(label: str) -> int | None:
    """The offset of a WordNet id or of a synset's name; None of any other label."""
    lexicon = Lexicon.load()
    if match := _OFFSET.fullmatch(label):
        offset = int(match[1])
    elif _SYNSET.fullmatch(label):
        with suppress(KeyError):
            return lexicon.offset(label)
        offset = -1
    else:
        return None
    if offset not in lexicon.row_of:
        raise UserError(f"{label} is no noun synset of WordNet 3.0: give ids or names of that version")
    return offset


def _first_sense(words: Sequence[str]) -> int | None:
    """Offset of the first sense of these words taken together."""
    lexicon = Lexicon.load()
    parts = "-".join(words).split("-")
    for form in dict.fromkeys(("_".join(words), *(mark.join(parts) for mark in ("_", "-", "")))):
        if (offset := lexicon.first_sense(lexicon.lemmatize(form))) is not None:
            return offset
    return None


def _part_by_part(words: Sequence[str]) -> list[tuple[str, int]]:
    """From the left, the longest run of words that has a sense, again and again."""
    found: dict[int, str] = {}
    start = 0
    while start < len(words):
        # "in" (inch) and "a" (angstrom) are nouns, too
        ends = range(len(words), start, -1) if words[start] not in _NO_START else ()
        for end in ends:
            if (offset := _first_sense(words[start:end])) is not None:
                found.setdefault(offset, " ".join(words[start:end]))
                start = end
                break
        else:
            start += 1
    return [(phrase, offset) for offset, phrase in found.items()]


def check_alpha(alpha: float) -> None:
    """Refuse what is no path similarity.

    Raises:
        UserError: it is out of range.
    """
    if not 0 < alpha <= 1:
        raise UserError(f"alpha {alpha}: path similarity is above 0 and at most 1")


def match_labels(labels: Iterable[str], vocabulary: Vocabulary, alpha: float) -> list[Match]:
    """Matches every label's synsets with the nearest classes.

    Args:
        labels: in the order of the target's classes.
        vocabulary: the classes.
        alpha: the least path similarity, in (0, 1]. It is one over one plus the steps between two synsets: 1
            is the very synset, 0.5 also its parents and children, 0.33 also two steps away.

    Returns:
        One row per synset of a label, in order; one with the kind ``unknown`` for a label without any.

    Raises:
        UserError: alpha is out of range, or a WordNet id is unknown.
    """
    check_alpha(alpha)
    lexicon, nearest = Lexicon.load(), NearestClass(vocabulary)
    found = []
    for target, label in enumerate(labels):
        synsets = synsets_of_label(label)
        if not synsets:
            found.append(Match(target, label, "", None, None, None, None, 0.0, UNKNOWN))
        for phrase, synset in synsets:
            index, similarity = nearest(synset)
            near = similarity >= alpha
            found.append(
                Match(
                    target,
                    label,
                    phrase,
                    synset,
                    lexicon.name(synset),
                    index if near else None,
                    vocabulary.names[index],
                    similarity,
                    EXACT if similarity == 1 else SIMILAR if near else OUTSIDE,
                )
            )
    return found


def kinds_of_labels(matches: Iterable[Match]) -> Counter[str]:
    """How many labels matched how.

    Returns:
        ``exact`` and ``similar``: all synsets of the label; ``in part``: some of them; ``none``: no synset,
        or none near enough, so that Transfer Init draws a random row.
    """
    kinds: Counter[str] = Counter({EXACT: 0, SIMILAR: 0, IN_PART: 0, NONE: 0})
    for _, rows in groupby(matches, lambda match: match.target):
        rows = list(rows)
        matched = sum(row.class_index is not None for row in rows)
        if matched < len(rows):
            kinds[IN_PART if matched else NONE] += 1
        else:
            kinds[EXACT if all(row.kind == EXACT for row in rows) else SIMILAR] += 1
    return kinds


def label_similarities(matches: Iterable[Match]) -> list[float]:
    """For each label the similarity at which all of its synsets have a class; 0 for none."""
    return [min(row.similarity for row in rows) for _, rows in groupby(matches, lambda match: match.target)]
