"""The tokens that ``nltk.word_tokenize`` of NLTK 3.8.1 gives, whichever NLTK is installed.

CoreNet's CatLIP pins that version. Later ones split other words off: an opening quote, whatever a dash joins,
and sentences at curly quotes. Here are 3.8.1's rules for cleaned captions, which are in lower case.

``word_tokenize`` first splits the text into sentences with a trained Punkt model. Its data are in no package,
so ``sentences`` does what Punkt does **untrained**, everywhere, so that labels are the same everywhere. The
trained model differs only after an abbreviation that it knows ("dr.", "st.", "u.s.") followed by more text:
it leaves the period on the word, while the untrained one splits it off. How often that matters is in
METHODOLOGY.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise, starmap

# Sentences. A period, ? or ! is looked at where one of _AFTER_END or white space and a further word follow;
# the text around it, back to the last white space, is taken apart into pieces that decide.
_AFTER_END = r"""[)";}\]*:@'({\[?!]"""
_END = re.compile(rf"[.?!](?=({_AFTER_END}|\s+(\S+)))")
_ASCII_SPACES = " \t\n\r\v\f"
_RUN = r"-{2,}|\.{2,}|(?:\.\s){2,}\."
_PIECE_ENDS = rf"\s|$|{_AFTER_END}|{_RUN}"
_PIECE = re.compile(rf"""{_RUN}|[^\s("`{{\[:;&#*@)}}\]\-,]\S*?(?={_PIECE_ENDS}|,(?:{_PIECE_ENDS}))|\S""")
_ONE_LETTER = re.compile(r"[^\W\d]\.")
_NUMBER = re.compile(r"-?[.,]?\d[\d,.-]*")
_CLOSING = re.compile(r"""["')\]}]+?(?:\s+|(?=--)|$)""", re.MULTILINE)

# Words. Each rule puts spaces around or between what it finds, in this order; \g<0> is all of it.
_AROUND = r" \g<0> "
_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), spaced)
    for pattern, spaced in (
        ("[«“‘„]|``?", _AROUND),
        ('^"', " `` "),
        (r"""(?<=[ (\[{<])(?:"|'')""", " `` "),
        (r"(?i)'(?![mtsdn])(?=\w\b)", "' "),  # off a single letter, but not off a longer word
        (r"""(?<=[^.])\.(?=[])}>"'»”’ ]*\s*$)""", " . "),  # a single period at the end of the sentence
        (r"([:,])(\D)", r" \1 \2"),
        (r"[:,]$", _AROUND),
        (r"\.{2,}|[;@#$%&?!]", _AROUND),
        ("(?<=[^'])' ", " ' "),
        (r"--|[*\]\[(){}<>]", _AROUND),
        (r"\A|\Z", " "),
        ("''|[»”’]", _AROUND),
        ('"', " '' "),
        ("(?<=[^' ])'[smd]?(?= )", " \\g<0>"),
        ("(?<=[^' ])(?:'(?:ll|re|ve)|n't)(?= )", " \\g<0>"),
        (
            r"(?i)\b(can(?=not\b)|d(?='ye\b)|gim(?=me\b)|gon(?=na\b)|got(?=ta\b)|lem(?=me\b)|more(?='n\b)"
            r"|wan(?=na\s))(not|'ye|me|na|ta|'n)",
            r" \1 \2 ",
        ),
        (r"(?i)(?<= )('t)(is)\b", r"\1 \2 "),
        (r"(?i)(?<= )('t)(was)\b", r"\1 \2 "),
    )
)


def tokenize(text: str) -> list[str]:
    """Tokens of a cleaned caption, as NLTK 3.8.1's ``word_tokenize`` with an untrained sentence splitter."""
    return [token for sentence in sentences(text) for token in _tokens(sentence)]


def _tokens(sentence: str) -> list[str]:
    for pattern, spaced in _RULES:
        sentence = pattern.sub(spaced, sentence)
    return sentence.split()


def sentences(text: str) -> list[str]:
    """The sentences of a text, as Punkt finds them untrained."""
    bounds, start = [], 0
    for end, following, context in _possible_ends(text):
        if _ends_sentence(context):
            bounds.append((start, end))
            start = following
    bounds += [(start, len(text.rstrip())), (0, 0)]
    found, moved = [], 0
    for (start, end), following in pairwise(bounds):
        start += moved
        # quotes and brackets that close this sentence stand at the beginning of the next
        closing = _CLOSING.match(text[slice(*following)])
        moved = closing.end() if closing else 0
        if closing:
            end = following[0] + len(closing[0].rstrip())
        if start < end:
            found.append(text[start:end])
    return found


def _possible_ends(text: str) -> Iterator[tuple[int, int, str]]:
    """Where a sentence may end, where the next would start, and the text around that decides.

    Of several in one word only the last counts, and one that begins the word.
    """
    pending, start, stop = None, 0, 0
    for match in _END.finditer(text):
        space = max(text.rfind(space, stop, match.start()) for space in _ASCII_SPACES)
        word = space + 1 if space > stop else start
        if pending and stop <= word:
            yield _end(text, start, pending)
        pending, start, stop = match, word, match.start()
    if pending:
        yield _end(text, start, pending)


def _end(text: str, start: int, match: re.Match[str]) -> tuple[int, int, str]:
    return match.end(), match.start(2) if match[2] else match.end(), text[start : match.end(1)]


def _ends_sentence(context: str) -> bool:
    """Whether one of the pieces that the text is taken apart into ends a sentence and is not the last."""
    pieces = [piece for line in context.split("\n") for piece in _PIECE.findall(line)]
    return any(starmap(_parts, pairwise(pieces)))


def _parts(piece: str, following: str) -> bool:
    """Whether a sentence ends between two pieces; not after a letter or number before a lower-case word."""
    if not piece.endswith(".") or piece == ".":
        return piece in (".", "?", "!")
    if piece.endswith(".."):
        return False
    one_letter = _ONE_LETTER.fullmatch(piece)
    if one_letter or _NUMBER.fullmatch(piece):
        goes_on = following in (";", ":", ",", ".", "?", "!") or following[0].islower()
        return not goes_on and not (one_letter and following[0].isupper())
    return True
