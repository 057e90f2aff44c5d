"""Captions the way web alt text is: mostly about the picture, never quite complete, seldom clean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from benchmark.demo_data.concepts import Concept

Generator = np.random.Generator
T = TypeVar("T")

#: Chances, per caption unless said otherwise.
P_NO_NOUN = 0.04  # says nothing of what is on the picture
P_NAMED = 0.86  # per concept: a concept that is there is mentioned
P_WRONG = 0.03  # mentions a concept that is not there
P_GROUND = 0.40  # names the ground
P_FILE_NAME = 0.03  # is a file name
P_HASHTAGS = 0.06  # is a row of hashtags

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


def caption(rng: Generator, seen: Sequence[Concept], ground: str, others: Sequence[Concept]) -> str:
    """Write a caption for a picture.

    Args:
        rng: source of every choice.
        seen: the concepts on the picture, one entry per object.
        ground: name of the ground.
        others: concepts to take a wrong word from.

    Returns:
        One line, about five to twelve words; upper case, punctuation, hashtags and file names occur.
    """
    if rng.random() < P_NO_NOUN:
        return _pick(rng, _NO_NOUN).format(number=int(rng.integers(1000, 9999)))
    counts = Counter(seen)
    named = [concept for concept in counts if rng.random() < P_NAMED]
    if not named:
        named = [_pick(rng, list(counts))]
    order = [named[index] for index in rng.permutation(len(named))]
    kind = rng.random()
    if kind < P_FILE_NAME:
        return _file_name(rng, order, counts)
    if kind < P_FILE_NAME + P_HASHTAGS:
        return _hashtags(rng, order, counts, ground)
    phrases = [_phrase(rng, concept, counts[concept]) for concept in order]
    if rng.random() < P_WRONG:
        wrong = _pick(rng, [concept for concept in others if concept not in counts] or list(counts))
        phrases.append(_phrase(rng, wrong, 1))
    what = _enumerate(rng, phrases)
    if rng.random() < P_GROUND:
        if rng.random() < 0.2:
            return _styled(rng, _pick(rng, _GROUND_ONLY).format(ground=ground, rest=what))
        where = " " + _pick(rng, _WHERE.get(ground, (f"on {ground}", f"on the {ground}")))
    else:
        where = ""
    text = _pick(rng, _TEMPLATES).format(what=what, where=where, number2=int(rng.integers(2, 13)))
    return _styled(rng, text)


def _pick(rng: Generator, items: Sequence[T]) -> T:
    return items[int(rng.integers(len(items)))]


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


def _hashtags(rng: Generator, named: Sequence[Concept], counts: Counter, ground: str) -> str:
    tags = [_word(concept, counts[concept]) for concept in named]
    if rng.random() < P_GROUND:
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
