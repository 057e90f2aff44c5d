"""What CoreNet calls of NLTK 3.8.1, written anew and without regard for speed: the reference for our labels.

``tokens`` is ``word_tokenize`` with an untrained sentence splitter, ``lemma`` is
``WordNetLemmatizer().lemmatize``. Nothing here comes from the product; the data are WordNet's own. A test
compares both with the original, where that is installed (``original_nltk``).
"""

from __future__ import annotations

import re
import string
from collections.abc import Collection
from functools import lru_cache
from itertools import pairwise
from typing import Any

_OTHER_PUNCTUATION = r"""[?!)";}\]*:@'({\[]"""
_MAYBE_END = re.compile(rf"[.?!](?=(?P<rest>{_OTHER_PUNCTUATION}|\s+(?P<next>\S+)))")
_SEVERAL = r"(?:--+|\.\.+|(?:\.\s){2,}\.)"
_STOP = rf"(?:\s|\Z|{_OTHER_PUNCTUATION}|{_SEVERAL})"
_PUNKT_WORD = re.compile(rf"""{_SEVERAL}|(?![("`{{\[:;&#*@)}}\]\-,])\S+?(?={_STOP}|,{_STOP})|\S""")
_REALIGNED = re.compile(r"""(?m)["')\]}]+?(?:\s+|(?=--)|$)""")


def sentences(text: str, abbreviations: Collection[str] = ()) -> list[str]:
    """Punkt's sentences, trained on nothing but, possibly, these abbreviations (without their period)."""
    ends = []  # of each possible end: the match, and where its word begins
    for match in _MAYBE_END.finditer(text):
        before = ends[-1][0].start() if ends else 0
        gap = [at for at in range(before + 1, match.start()) if text[at] in string.whitespace]
        ends.append((match, gap[-1] + 1 if gap else ends[-1][1] if ends else 0))
    # one that lies within the word of the next one does not count
    ends = [
        (match, word)
        for (match, word), (_, next_word) in pairwise([*ends, (None, len(text))])
        if match.start() <= next_word
    ]
    cuts = [0]
    for match, word in ends:
        around = text[word : match.end()] + match["rest"]
        if _holds_sentence_end(around, abbreviations):
            cuts += [match.end(), match.start("next") if match["next"] else match.end()]
    cuts.append(len(text.rstrip()))
    parts = [*zip(cuts[::2], cuts[1::2], strict=True), (0, 0)]
    found, moved = [], 0
    for (first, last), (then, end) in pairwise(parts):
        closing = _REALIGNED.match(text[then:end])  # quotes and brackets that belong to the sentence before
        found.append(text[first + moved : then + len(closing[0].rstrip()) if closing else last])
        moved = closing.end() if closing else 0
    return [sentence for sentence in found if sentence]


def _holds_sentence_end(text: str, abbreviations: Collection[str]) -> bool:
    words = [word for line in text.split("\n") for word in _PUNKT_WORD.findall(line)]
    return any(_ends(word, following, abbreviations) for word, following in pairwise(words))


def _ends(word: str, following: str, abbreviations: Collection[str]) -> bool:
    if word in (".", "?", "!"):
        return True
    if not word.endswith(".") or word.endswith(".."):
        return False
    if word[:-1] in abbreviations or word[:-1].split("-")[-1] in abbreviations:
        return False
    initial = re.fullmatch(r"[^\W\d]\.", word) is not None
    number = re.fullmatch(r"-?[.,]?\d[\d,.-]*", word) is not None
    if (initial or number) and (following in tuple(";:,.!?") or following[0].islower()):
        return False
    return not (initial and following[0].isupper())


def _spread(pattern: str) -> tuple[str, str]:
    return pattern, r" \g<0> "


# In 3.8.1's order: opening quotes, punctuation, brackets and dashes; the sentence gets a space at either end;
# closing quotes, contractions.
_FIRST = [
    _spread(r"[«“‘„]|`+"),
    (r'\A"', "``"),
    _spread(r"``"),
    (r"""([ ([{<])("|'')""", r"\1 `` "),
    (r"(?i)'(?!re|ve|ll|[mtsdn])(\w)\b", r"' \1"),
    (r"""([^.])\.([])}>"'»”’ ]*)\s*$""", r"\1 . \2 "),
    (r"([:,])(\D)", r" \1 \2"),
    _spread(r"[:,]$"),
    _spread(r"\.\.+"),
    _spread(r"[;@#$%&]"),
    (r"""([^.])\.([])}>"']*)\s*$""", r"\1 .\2 "),
    _spread(r"[?!]"),
    (r"([^'])' ", r"\1 ' "),
    _spread(r"\*"),
    _spread(r"[][(){}<>]"),
    _spread(r"--"),
]
_THEN = [
    _spread(r"[»”’]"),
    _spread(r"''"),
    (r'"', " '' "),
    (r"([^' ])('[smd]|') ", r"\1 \2 "),
    (r"([^' ])('ll|'re|'ve|n't) ", r"\1 \2 "),
    *((rf"(?i)\b({a})({b})\b", r" \1 \2 ") for a, b in (("can", "not"), ("d", "'ye"), ("gim", "me"))),
    *((rf"(?i)\b({a})({b})\b", r" \1 \2 ") for a, b in (("gon", "na"), ("got", "ta"), ("lem", "me"))),
    (r"(?i)\b(more)('n)\b", r" \1 \2 "),
    (r"(?i)\b(wan)(na)(?=\s)", r" \1 \2 "),
    (r"(?i) ('t)(is)\b", r" \1 \2 "),
    (r"(?i) ('t)(was)\b", r" \1 \2 "),
]


def tokens(text: str, abbreviations: Collection[str] = ()) -> list[str]:
    """The tokens of a text in lower case."""
    found = []
    for sentence in sentences(text, abbreviations):
        for pattern, replacement in _FIRST:
            sentence = re.sub(pattern, replacement, sentence)
        sentence = f" {sentence} "
        for pattern, replacement in _THEN:
            sentence = re.sub(pattern, replacement, sentence)
        found += sentence.split()
    return found


_RULES = [("s", ""), ("ses", "s"), ("ves", "f"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh")]
_RULES += [("men", "man"), ("ies", "y")]


def lemma(word: str, wordnet: Any) -> str:
    """The noun lemma of a word; the word itself where there is none.

    Args:
        wordnet: NLTK's reader, of whichever version.
    """
    known, exceptions = _nouns(wordnet)
    if word in exceptions:
        rounds = [[word, *exceptions[word]]]
    else:
        forms = _stripped([word])
        rounds = [[word, *forms]]
        while forms := _stripped(forms):
            rounds.append(forms)
    for forms in rounds:
        if matches := [form for form in forms if form in known]:
            return min(matches, key=len)
    return word


def _stripped(forms: list[str]) -> list[str]:
    return [form.removesuffix(old) + new for form in forms for old, new in _RULES if form.endswith(old)]


@lru_cache(maxsize=1)
def _nouns(wordnet: Any) -> tuple[set[str], dict[str, list[str]]]:
    with wordnet.open("noun.exc") as lines:
        exceptions = {form: bases for form, *bases in map(str.split, lines)}
    return set(wordnet.all_lemma_names("n")), exceptions
