"""Captions that are hard to split, for comparing the fast ways with the straight one."""

from __future__ import annotations

import random
import re
import urllib.parse
from functools import cache
from typing import Any

import ftfy
import pytest
import reference_nltk
from hypothesis import strategies as st

from common.errors import UserError
from pretraining.labels.lexicon.wordnet import installed_wordnet

_WORDS = """
    dog cats House DOG wolves children a e x s m re ll na can not us 3 20 1.5 2019 st dr new_york ice-cream
    cannot gonna gimme wanna LEMME d'ye more'n 'tis can't won't n't y'all o'clock 'dog' 'dogs 's-h x's' 90's
    'tisn't 'twas 'hood 'e 'a-b 'a.m. rock'a rock'n'roll womens policemens classess
    black-and-white dog/cat 9/11 24/7 1,000 16:9 10:30 .22 u.s. ph.d a.m. www.dog.com dog.jpg c++ r&b at&t
"""
WORDS = _WORDS.split()
_MARKS = "... .. -- --- 's n't 're 'll '' `` \"' '\" .\" .) .' .: .:24 ). ?! ., ,, .> 6). \"."
MARKS = [
    *".,;:!?'\"()[]{}<>-_/\\|@#$%^&*+=~`",
    *_MARKS.split(),
    *(". , ", ". . .", ". ", ". )", '. "', ", '", " - ", "3--."),
]
_FOREIGN = """
    é É ñ ß ø œ Œ Ã Â à ’ ‘ “ ” „ « » – — ― … • ™ ® ° ½ € £ ¡ 狗 猫。 「 犬ー ｄｏｇ ！ ﬁsh
    mercury—the dog–cat «dog.» gımme 'ſ 𝐀
    собака σκύλος 개 🐶 👍🏽 ☃ \u212a İ Ã© â€™ â€œ Ã schÃ¶n é\u0301 e\u0301 \u0301 Ａ ｶﾞ
"""
FOREIGN = _FOREIGN.split()
_ESCAPES = """
    &amp; &lt;b&gt; &nbsp; &eacute; &#39; &quot; %20 %C3%A9 %27 % %zz 50% + c+d <b> </b> <br/> < >
    http://dog.com/cat?a=b&c=d#e dog@cat.com #dog
"""
ESCAPES = _ESCAPES.split()
SPACES = ["\n", "\t", "\r\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\xa0", "\u2003", "\u2028", "\u3000"]
INVISIBLE = ["\x00", "\x07", "\x1b[31m", "\x7f", "\xad", "\u200b", "\u200d", "\ufeff", "\ufffd", "\ud83d"]

_fragment = (
    st.sampled_from(WORDS)
    | st.sampled_from(WORDS)
    | st.sampled_from(MARKS)
    | st.sampled_from(FOREIGN)
    | st.sampled_from(ESCAPES)
    | st.sampled_from(SPACES + INVISIBLE)
    | st.text(max_size=3)
)
tricky = st.lists(st.tuples(_fragment, st.sampled_from(["", "", " ", " ", " ", "\n"])), max_size=12).map(
    lambda parts: "".join(fragment + gap for fragment, gap in parts)
)


def tricky_captions(number: int, seed: int = 0) -> list[str]:
    """Drawn captions: half of them words and marks alone, the others with everything above."""
    generator = random.Random(seed)
    everything = [*WORDS, *MARKS, *FOREIGN, *ESCAPES, *SPACES, *INVISIBLE]
    found = []
    for _ in range(number):
        fragments = [*WORDS, *WORDS, *MARKS] if generator.random() < 0.5 else everything
        count = generator.randint(1, 12)
        parts = [generator.choice(fragments) + generator.choice(["", " ", " "]) for _ in range(count)]
        found.append("".join(parts))
    return found


def original_clean(text: str) -> str:
    """The cleaning step by step, as CoreNet's ``caption_preprocessing`` does it."""
    text = urllib.parse.unquote(str(text)).replace("+", " ")
    text = re.sub(" +", " ", re.sub("<.*?>", "", text).strip("\n"))
    return ftfy.fix_text(text).strip().lower()


def original_labels(text: str) -> tuple[int, ...]:
    """CoreNet's algorithm with NLTK's own WordNet; each label once, and without the tagger it ignores."""
    found = (_original_label(token) for token in reference_nltk.tokens(original_clean(text)))
    return tuple(dict.fromkeys(label for label in found if label is not None))


@cache
def _original_label(token: str) -> int | None:
    from nltk.corpus import wordnet

    lemma = reference_nltk.lemma(token, wordnet)
    try:
        synset = wordnet.synset(f"{lemma}.n.01")
    except Exception:  # CoreNet catches everything here
        return None
    return synset.offset() if synset.name() == f"{lemma}.n.01" else None


@cache
def _wordnet() -> Any:
    try:
        return installed_wordnet()
    except UserError as error:
        return error


def wordnet_or_skip() -> Any:
    """NLTK's WordNet 3.0; skips the test where it is not installed."""
    found = _wordnet()
    if isinstance(found, UserError):
        pytest.skip(str(found))
    return found
