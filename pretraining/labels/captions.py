"""From a caption to its words, as CoreNet's CatLIP reads captions: cleaned, then split as NLTK 3.8.1 does.

``clean`` and ``tokenizer.tokenize`` are the reference. ``words`` gives the same words much faster: it looks
at one *chunk* (what stands between two spaces) at a time and asks the tokenizer only where its rules look
further than that.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote

from pretraining.labels.tokenizer import tokenize

_TAG = re.compile(r"<.*?>")
_SPACES = re.compile(r" {2,}")

# ftfy works where its list of suspicious neighbours finds something, on HTML entities, and on single
# characters. It leaves these alone, but for making curly quotes straight: printable ASCII; any run of
# _FOREIGN; and one of _LATIN where no other character beyond ASCII is next to it.
_LATIN = "¡-¬®-ÁÄ-ÿ‘’“”–—…•™€"
_FOREIGN = "А-яё一-鿿ぁ-ゖァ-ヺー가-힣、-〃〈-】\U0001f300-\U0001f64f"
_FOR_FTFY = rf"[{_LATIN}](?![\0-\x7f]|$)|(?<![\0-\x7f])(?<!^)[{_LATIN}]|&#?[0-9A-Za-z]{{1,24}};"
_NEEDS_FTFY = re.compile(rf"[^\n -~{_LATIN}{_FOREIGN}]|{_FOR_FTFY}")
_CHANGED_BY_CLEANING = re.compile(rf"[^!-;=-~{_LATIN}{_FOREIGN}]|%[0-9A-Fa-f]{{2}}|{_FOR_FTFY}")  # of a chunk
_STRAIGHT = {ord("‘"): "'", ord("’"): "'", ord("“"): '"', ord("”"): '"'}


def clean(text: str) -> str:
    """A caption without URL escapes, ``+`` for spaces, tags and encoding accidents, in lower case.

    The steps and their order are those of ``caption_preprocessing`` in CoreNet's
    ``corenet/data/datasets/utils/text.py``.
    """
    text = unquote(text).replace("+", " ")
    text = _SPACES.sub(" ", _without_tags(text).strip("\n"))
    if not _NEEDS_FTFY.search(text):
        return text.translate(_STRAIGHT).strip().lower()
    import ftfy

    return ftfy.fix_text(text).strip().lower()


def _without_tags(text: str) -> str:
    """The text without what `_TAG` finds, in a time that grows with its length, whatever it holds.

    Behind the last ``>`` of a line no tag can end: there the pattern would look for one from every ``<``.
    """
    if "<" not in text:
        return text
    lines = ((line, line.rfind(">") + 1) for line in text.split("\n"))
    return "\n".join(_TAG.sub("", line[:end]) + line[end:] for line, end in lines)


def is_word(token: str) -> bool:
    """Whether a token holds a letter or digit; only such tokens can be WordNet lemmas."""
    return any(map(str.isalnum, token))


# --------------------------------------------------------------------------------------------------------
# Which chunks have the same words in every caption
#
# NLTK's word tokenizer is a list of substitutions. All of them look at neighbouring characters only, and
# those that look for a space are content with the beginning or end of a sentence instead, with one exception:
# a *single period* is split off its word at the end of a sentence (closing quotes and brackets may follow it)
# and nowhere else. So a chunk without such a period has the same words wherever it stands, and where
# sentences end matters to nothing else. White space of another kind is not enough for a single quote.
# A period may end a sentence where white space or one of _AFTER_PERIOD follows. Untrained Punkt then ends the
# sentence always, unless what stands before is one letter ("e. coli") or a number ("no. 5. dog"). Runs of
# periods are split off everywhere. Quotes have cases of their own, named below. The tests put all of this to
# the proof.
# --------------------------------------------------------------------------------------------------------

_CORE = r"[a-z0-9]+(?:[-_/|][a-z0-9]+)*"
_PLAIN = re.compile(rf"""["(\[{{]*('?)({_CORE})('[a-z]*)?[,:;!?")\]}}]*""")
_ENDED = re.compile(rf"""["(\[{{]*('?)({_CORE}(?:\.{_CORE})*)('[a-z]*)?\.[")\]}}]*""")
OPENING, ENDING, ENDING_AFTER_PERIOD = '"([{', ',:;!?")]}', '")]}'  # in the two patterns above
_CONTRACTION = re.compile(r"(?i)cannot|gimme|gonna|gotta|lemme|wanna|d'ye|more'n")  # NLTK takes these apart
TAKEN_APART = frozenset({"cannot", "gimme", "gonna", "gotta", "lemme", "wanna"})
_CLITICS = frozenset({"'s", "'m", "'d", "'ll", "'re", "'ve"})
_NOT_WITH_QUOTE = re.compile(r"\w\b|tis|twas")  # a quote may leave these, but no other word it opens
_ALWAYS_SPLIT = r';@#$%&?!*\[\](){}<>"«»„'
_SPLIT_OFF = re.compile(rf"[{_ALWAYS_SPLIT}]|\.{{2,}}|--")
_COMMA_OR_COLON = re.compile(r"([:,])(\D)")
_AFTER_PERIOD = r""")";}\]*:@'({\[?!>‘’“”«»"""
_PERIOD_AT_RISK = re.compile(
    rf"(?<=[^.,:{_ALWAYS_SPLIT}])\.(?=[{_AFTER_PERIOD}]|$)"  # it may be split off the word before it,
    r"|\.(?=[:'‘’“”«»])"  # or from what comes after it
)
_CLOSING = re.compile(r"""["')\]}]+(?:--.*)?""")  # Punkt moves these to the sentence before,
_NO_CLOSING = re.compile("\"|''")  # where the tokenizer takes these for opening quotes
_CLITIC_IN_QUOTE = re.compile(r"(?:'(?:[smd]|ll|re|ve)|n't)'$")
_NUMBER = re.compile(r"[0-9]+(?:[.-][0-9]+)*")
_STARTS_LOWER = re.compile(r"[a-z][a-z0-9-]*[,.?!]?")
_STARTS_DIGIT = re.compile(r"[0-9][a-z0-9-]*[,.?!]?")
LONG = 64  # characters; chunks that are longer are not remembered
_LINE_BREAKS = {ord(space): " " for space in "\n\t"}


def words_of_chunk(chunk: str) -> tuple[str, ...] | None:
    """The words of a chunk of a cleaned caption, where they do not depend on the chunks around it.

    Args:
        chunk: cleaned text without white space.

    Returns:
        Its tokens that hold a letter or digit, in order; None where the neighbours have a say.
    """
    return _words_of_chunk(chunk) if len(chunk) <= LONG else _words_of_chunk.__wrapped__(chunk)


@lru_cache(maxsize=1 << 15)
def _words_of_chunk(chunk: str) -> tuple[str, ...] | None:
    if match := _PLAIN.fullmatch(chunk) or _ENDED.fullmatch(chunk):
        return _words_of_match(match)
    if _CLOSING.fullmatch(chunk) and _NO_CLOSING.search(chunk):
        return None  # keeps a period at the end of the chunk before on its word
    if not is_word(chunk):
        return ()
    if _PERIOD_AT_RISK.search(chunk):
        return None
    if "''" in chunk or any(mark in chunk for mark in "`‘’“”") or _CLITIC_IN_QUOTE.search(chunk):
        return None  # quotes that are turned into others before they are looked at again
    if "'" in chunk or _CONTRACTION.search(chunk) or (not chunk.isascii() and ("," in chunk or ":" in chunk)):
        return _words_alone(chunk)
    parts = _SPLIT_OFF.sub(" ", _COMMA_OR_COLON.sub(r" \1 \2", chunk + " ")).split()
    return tuple(filter(is_word, parts))


def _words_of_match(match: re.Match[str]) -> tuple[str, ...] | None:
    """Words of one word within punctuation, by far the commonest kind of chunk."""
    quote, word, tail = match.groups()
    if _CONTRACTION.search(word + (tail or "")) or (quote and _NOT_WITH_QUOTE.match(word)):
        return _words_alone(match[0])
    word = quote + word
    if tail is None:
        if match.re is _ENDED and (len(word) == 1 or _NUMBER.fullmatch(word)):
            return None
        return (word,)
    if tail == "'":
        return (word,)
    if tail in _CLITICS:
        return (word, tail)
    if tail == "'t" and word.endswith("n") and len(word) > 1:
        return (word[:-1], "n't")
    if len(tail) == 2 and tail not in ("'t", "'n"):
        return (word, tail[1])
    return (word + tail,)


def words_of_raw_chunk(chunk: str) -> tuple[str, ...] | None:
    """The same for a chunk of a caption that has not been cleaned.

    Args:
        chunk: what stands between two spaces (U+0020) of a caption.

    Returns:
        Its words in lower case; None where cleaning or the neighbours have a say.
    """
    if chunk.isascii() and (match := _PLAIN.fullmatch(chunk.lower())):
        return _words_of_match(match)
    if _CHANGED_BY_CLEANING.search(chunk):
        return None
    chunk = chunk.translate(_STRAIGHT).lower()
    if "+" not in chunk:
        return words_of_chunk(chunk)
    found: list[str] = []
    for part in chunk.split("+"):
        if (words := words_of_chunk(part)) is None:
            return None
        found += words
    return tuple(found)


def words(text: str) -> list[str]:
    """The words of a cleaned caption: the tokens of ``tokenize`` that hold a letter or digit, in order."""
    chunks = text.split(" ")
    if not text.isprintable():
        chunks = text.split()
        if "'" in text or (
            "." in text
            and (not text.translate(_LINE_BREAKS).isprintable() or any(map(_CLOSING.fullmatch, chunks)))
        ):
            return list(filter(is_word, tokenize(text)))  # the rules differ on what white space is
    found: list[str] = []
    for position, chunk in enumerate(chunks):
        part = words_of_chunk(chunk)
        if part is None:
            part = _words_before(chunk, chunks[position + 1] if position + 1 < len(chunks) else None)
            if part is None:
                return list(filter(is_word, tokenize(text)))
        found += part
    return found


def _words_before(chunk: str, following: str | None) -> tuple[str, ...] | None:
    """Words of a letter or number with a period, which the next chunk decides; None: NLTK must be asked."""
    word = chunk[:-1]
    if chunk[-1] != "." or not (("a" <= word <= "z" and len(word) == 1) or _NUMBER.fullmatch(word)):
        return None
    if following is None or _STARTS_DIGIT.fullmatch(following):
        return (word,)
    return (chunk,) if _STARTS_LOWER.fullmatch(following) else None


def _words_alone(chunk: str) -> tuple[str, ...]:
    return tuple(filter(is_word, tokenize(chunk)))
