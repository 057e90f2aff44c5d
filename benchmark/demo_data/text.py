"""Captions the way web alt text is: mostly about the picture, never quite complete, seldom clean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeVar

import numpy as np

from benchmark.demo_data.concepts import Concept, all_concepts
from benchmark.demo_data.spec import Wording
from pretraining.labels.synsets import Lexicon

Generator = np.random.Generator
T = TypeVar("T")


@dataclass(frozen=True)
class Chances:
    """How untidy captions are: chances, per caption unless said otherwise.

    Attributes:
        no_noun: it says nothing of what is on the picture.
        named: per concept: one that is there is mentioned.
        wrong: it mentions a concept that is not there.
        ground: it names the ground.
        file_name, hashtags: it is a file name, or a row of hashtags.
        rare: per concept: it is called by the name of a kind of it.
    """

    no_noun: float = 0.04
    named: float = 0.86
    wrong: float = 0.03
    ground: float = 0.40
    file_name: float = 0.03
    hashtags: float = 0.06
    rare: float = 0.0


CHANCES: dict[Wording, Chances] = {
    "web": Chances(),
    "clean": Chances(no_noun=0.0, named=1.0, wrong=0.0, ground=1.0, file_name=0.0, hashtags=0.0),
    "noisy": Chances(no_noun=0.20, named=0.60, wrong=0.25, ground=0.20, file_name=0.10, hashtags=0.10),
    "rare": Chances(rare=0.5),
}

_NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five"}
_ADJECTIVES = (
    "big",
    "small",
    "cute",
    "little",
    "nice",
    "new",
    "vintage",
    "lovely",
    "pretty",
    "cheap",
    "original",
)

_NO_NOUN = (
    "so pretty, had to share this one!",
    "best of the week",
    "untitled 2",
    "click here to see more...",
    "you won't believe what happened next",
    "IMG_{number}",
    "DSC{number}.JPG",
    "free shipping on everything over 50",
    "why not? just because we can",
    "made with love",
)
#: ``{what}`` is the enumeration of things, ``{where}`` " on the sand" or nothing.
_TEMPLATES = (
    "{what}{where}",
    "{what}{where}",
    "a photo of {what}{where}",
    "{what}{where}, stock photo",
    "picture of {what}{where}",
    "there is {what}{where}",
    "this is {what}{where} as seen today",
    "illustration of {what}{where}, free download",
    "{what}{where} - buy online",
    "{what}{where} | best price",
    "a cartoon of {what}{where}",
    "my favourite: {what}{where}",
    "look at {what}{where}",
    "{what}{where} (set of {number2})",
    "how to draw {what}{where}",
    "drawing of {what}{where} for kids",
    "{what}{where}, royalty free vector",
    "we found {what}{where} yesterday",
)
_WHERE = {
    "sky": ("in the sky", "against a blue sky"),
    "night": ("at night", "in the night"),
    "water": ("on the water", "in the water"),
    "snow": ("in the snow", "on fresh snow"),
    "grass": ("on the grass", "in green grass"),
    "brick": ("in front of brick", "on red brick"),
}
_GROUND_ONLY = ("{ground} background with {rest}", "{ground} texture, {rest}", "{ground} and {rest}")


def caption(
    rng: Generator,
    seen: Sequence[Concept],
    ground: str,
    others: Sequence[Concept],
    wording: Wording = "web",
) -> str:
    """Write a caption for a picture.

    Args:
        rng: source of every choice.
        seen: the concepts on the picture, one entry per object.
        ground: name of the ground.
        others: concepts to take a wrong word from.
        wording: how untidy it is.

    Returns:
        One line, about five to twelve words; upper case, punctuation, hashtags and file names occur.
    """
    chances = CHANCES[wording]
    if rng.random() < chances.no_noun:
        return _pick(rng, _NO_NOUN).format(number=int(rng.integers(1000, 9999)))
    counts = Counter(seen)
    named = [concept for concept in counts if rng.random() < chances.named]
    if not named:
        named = [_pick(rng, list(counts))]
    order = [named[index] for index in rng.permutation(len(named))]
    if chances.rare:
        called = {
            concept: _rarer(rng, concept) if rng.random() < chances.rare else concept for concept in order
        }
        order = list(called.values())
        counts = Counter({called.get(concept, concept): count for concept, count in counts.items()})
    kind = rng.random()
    if kind < chances.file_name:
        return _file_name(rng, order, counts)
    if kind < chances.file_name + chances.hashtags:
        return _hashtags(rng, order, counts, ground if rng.random() < chances.ground else None)
    phrases = [_phrase(rng, concept, counts[concept]) for concept in order]
    if rng.random() < chances.wrong:
        wrong = _pick(rng, [concept for concept in others if concept not in counts] or list(counts))
        phrases.append(_phrase(rng, wrong, 1))
    what = _enumerate(rng, phrases)
    if rng.random() < chances.ground:
        if rng.random() < 0.2:
            return _styled(rng, _pick(rng, _GROUND_ONLY).format(ground=ground, rest=what))
        where = " " + _pick(rng, _WHERE.get(ground, (f"on {ground}", f"on the {ground}")))
    else:
        where = ""
    text = _pick(rng, _TEMPLATES).format(what=what, where=where, number2=int(rng.integers(2, 13)))
    return _styled(rng, text)


def _pick(rng: Generator, items: Sequence[T]) -> T:
    return items[int(rng.integers(len(items)))]


def _rarer(rng: Generator, concept: Concept) -> Concept:
    """A kind of the concept, by a name of one word; the concept itself where WordNet has none."""
    names = _kinds().get(concept.noun, ())
    if not names:
        return concept
    name = _pick(rng, names)
    return replace(concept, noun=name, plural=name if concept.plural == concept.noun else f"{name}s")


@cache
def _kinds() -> dict[str, tuple[str, ...]]:
    """Noun of a concept -> names of one word of the direct hyponyms of its synset, in alphabetical order."""
    lexicon = Lexicon.load()
    nouns = {lexicon.first_synset(concept.noun): concept.noun for concept in all_concepts()}
    found: dict[str, list[str]] = {noun: [] for noun in nouns.values()}
    for lemma in lexicon.lemmas():
        if lemma.isascii() and lemma.isalpha() and (synset := lexicon.first_synset(lemma)) is not None:
            for parent in lexicon.hypernyms(synset):
                if parent in nouns:
                    found[nouns[parent]].append(lemma)
    return {noun: tuple(sorted(names)) for noun, names in found.items()}


def _phrase(rng: Generator, concept: Concept, count: int) -> str:
    """The concept with its article, number or adjective: "a dog", "two big dogs", "some broccoli"."""
    adjective = f"{_pick(rng, _ADJECTIVES)} " if rng.random() < 0.25 else ""
    if not concept.countable:
        return f"some {adjective}{concept.noun}" if rng.random() < 0.6 else adjective + concept.noun
    if count > 1:
        number = _pick(rng, (_NUMBERS.get(count, str(count)), "some", "several", ""))
        return f"{number} {adjective}{concept.plural}".strip()
    if concept.noun == "scissors":
        return f"{adjective}scissors"
    words = adjective + concept.noun
    article = "an" if words[0] in "aeio" or words.startswith("umbrella") else "a"
    return _pick(rng, (f"{article} {words}", f"{article} {words}", f"the {words}", words))


def _enumerate(rng: Generator, phrases: Sequence[str]) -> str:
    if len(phrases) == 1:
        return phrases[0]
    last = _pick(rng, (" and ", " with ", " next to ", ", "))
    return ", ".join(phrases[:-1]) + last + phrases[-1]


def _word(concept: Concept, count: int) -> str:
    return concept.plural if count > 1 else concept.noun


def _file_name(rng: Generator, named: Sequence[Concept], counts: Counter) -> str:
    # Joined words reach the labeller as one token: such captions yield no label, as on the web.
    joint = _pick(rng, ("_", "-", " "))
    stem = joint.join(_word(concept, counts[concept]) for concept in named)
    return f"{stem}{joint}{int(rng.integers(10, 999))}.{_pick(rng, ('jpg', 'png', 'JPG'))}"


def _hashtags(rng: Generator, named: Sequence[Concept], counts: Counter, ground: str | None) -> str:
    tags = [_word(concept, counts[concept]) for concept in named]
    if ground is not None:
        tags.append(ground)
    tags.append(str(_pick(rng, ("nature", "art", "love", "instagood", "design"))))
    return " ".join(f"#{tag}" for tag in tags)


def _styled(rng: Generator, text: str) -> str:
    """Capitals and punctuation as people type them."""
    case = rng.random()
    if case < 0.45:
        text = text[0].upper() + text[1:]
    elif case < 0.52:
        text = text.title()
    elif case < 0.55:
        text = text.upper()
    return text + _pick(rng, ("", "", "", ".", "!", "...", " :)"))
