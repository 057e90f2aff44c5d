"""Cleaning and splitting of captions: both ways of splitting against NLTK 3.8.1's rules."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
import reference_nltk
from hypothesis import given, settings
from tricky_captions import original_clean, tricky, tricky_captions

from pretraining.labels import captions, tokenizer


def words_of_tokens(text: str) -> list[str]:
    return [token for token in reference_nltk.tokens(text) if captions.is_word(token)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Two   DOGS\n", "two dogs"),
        ("red+dog", "red dog"),
        ("caf%C3%A9%20noir", "café noir"),
        ("100% cotton %zz", "100% cotton %zz"),
        ("<b>bold</b> dog<br/>house", "bold doghouse"),
        ("a < b", "a < b"),
        ("a <b\nc> d", "a <b\nc> d"),  # a tag does not go over lines
        ("salt &amp; pepper", "salt & pepper"),
        ("&lt;b&gt; stays", "<b> stays"),
        ("The dog’s “bone”", 'the dog\'s "bone"'),
        ("schÃ¶n", "schön"),
        ("itâ€™s", "it's"),
        ("ﬁsh ＤＯＧ", "fish dog"),
        ("dog\x00house\x1b[31m!", "doghouse!"),
        ("\ud83d dog", "\ufffd dog"),
        ("", ""),
    ],
)
def test_clean(text: str, expected: str) -> None:
    assert captions.clean(text) == expected == original_clean(text)


@settings(max_examples=200, deadline=None)
@given(tricky)
def test_clean_does_the_original_steps(text: str) -> None:
    assert captions.clean(text) == original_clean(text)


@settings(max_examples=200, deadline=None)
@given(tricky)
def test_words_and_tokens_are_those_of_nltk(text: str) -> None:
    cleaned = captions.clean(text)
    assert tokenizer.tokenize(cleaned) == reference_nltk.tokens(cleaned)
    assert captions.words(cleaned) == words_of_tokens(cleaned)


def test_words_and_tokens_are_those_of_nltk_on_many_drawn_captions() -> None:
    for text in tricky_captions(3000):
        cleaned = captions.clean(text)
        assert tokenizer.tokenize(cleaned) == reference_nltk.tokens(cleaned), ascii(text)
        assert cleaned == original_clean(text), ascii(text)
        assert captions.words(cleaned) == words_of_tokens(cleaned), ascii(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dogs, cats; (mice) 'rats'", ["dogs", "cats", "mice", "'rats"]),
        ("'dog house' 'a-b 'e. 's", ["'dog", "house", "a-b", "e", "'s"]),  # only a letter leaves its quote
        ("'dog's 'tis 'tisn't 'tissue", ["'dog", "'s", "'t", "is", "'t", "is", "n't", "'tissue"]),
        ("rock'a rock'n d'y", ["rock", "a", "rock'n", "d", "y"]),
        ("'tis'twas", ["'t", "is", "'t", "was"]),
        ("dog's\t'tis\ncat's", ["dog's", "'tis", "cat", "'s"]),  # only a space parts them
        ("the dog. the cat.", ["the", "dog", "the", "cat"]),
        ("e. coli in vitamin e.", ["e.", "coli", "in", "vitamin", "e"]),  # an initial keeps its period
        ("no. 5. dog", ["no", "5.", "dog"]),  # so does a number before a word
        ("no. 5. 6 dogs", ["no", "5", "6", "dogs"]),
        ("u.s. army of the u.s.", ["u.s", "army", "of", "the", "u.s"]),
        ('a.m. " dog', ["a.m.", "dog"]),  # the quote joins the sentence, as an opening one
        ("a.m. ) dog", ["a.m", "dog"]),
        ("dog...cat", ["dog", "cat"]),
        ("a,,b", ["a", ",b"]),  # two commas in a row hide the second word from NLTK
        ("1,000 dogs 16:9", ["1,000", "dogs", "16:9"]),
        ("can't cannot gonna d'ye", ["ca", "n't", "can", "not", "gon", "na", "d", "'ye"]),
        ("x's' dog", ["x", "'s", "dog"]),  # within a sentence NLTK looks at the quote twice,
        ("x's'", ["x's"]),  # at its end once
        ("dog--cat – bird—fish, mercury—the", ["dog", "cat", "bird—fish", "mercury—the"]),
        ("a.m. » dog «cat.» e.» end.»", ["a.m", "dog", "cat.", "e.", "end"]),  # they close no sentence
        ("black-and-white new_york dog/cat", ["black-and-white", "new_york", "dog/cat"]),
        ("?! ... -- \"\" ''", []),
        (".:24/7", [":24/7"]),
        ("狗 café gımme", ["狗", "café", "gım", "me"]),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert captions.words(text) == expected == words_of_tokens(text)


@pytest.mark.parametrize(
    "chunk", ["e.", "3.", "20-30.", '"', '")', "''dog", "x's'", "dog.'", "`dog", "a.b.:"]
)
def test_chunks_that_need_their_neighbours(chunk: str) -> None:
    assert captions.words_of_chunk(chunk) is None


@pytest.mark.parametrize(
    "chunk",
    ["%20", "<b>", "&amp;", "Ã©", "dog\n", "dog\xa0cat", "e\u0301", "œuf", "\ud83d", "\x00"],
)
def test_raw_chunks_that_need_cleaning(chunk: str) -> None:
    assert captions.words_of_raw_chunk(chunk) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a dog. a cat.", ["a dog.", "a cat."]),
        ("e. coli. 5. dogs. 5. 6. E. coli", ["e. coli.", "5. dogs.", "5.", "6.", "E. coli"]),
        ("e. ; x", ["e. ; x"]),
        ('(a dog.) "a cat." a.b.c', ["(a dog.)", '"a cat."', "a.b.c"]),
        ("?! ! dog?cat !?", ["?", "!", "!", "dog?cat !", "?"]),
        ("dog.» “dog.” x", ["dog.» “dog.” x"]),
        ("", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert tokenizer.sentences(text) == expected == reference_nltk.sentences(text)


def test_raw_chunks_in_other_scripts_do_not_need_ftfy() -> None:
    for chunk in ["Café", "Women’s", "“Dog”", "–", "собака", "狗。", "개", "犬ー", "🐶"]:
        alone = captions.words_of_raw_chunk(chunk)
        assert alone == tuple(words_of_tokens(original_clean(chunk))), chunk


def test_a_long_caption_takes_no_long_time() -> None:
    text = 'A dog. "The cat", e. coli; it\'s 3. x... ' * 250  # 10,000 characters
    cleaned = captions.clean(text)
    assert captions.words(cleaned) == words_of_tokens(cleaned)
    for part in ("aa", "''", "<<", "-a", "&a", '".', "%4", ". ", "a.", "a,", "'", ".)", "! ", "1.", "\t."):
        start = time.process_time()
        cleaned = captions.clean(part * 5000)
        captions.words(cleaned)
        tokenizer.tokenize(cleaned)
        captions.words_of_raw_chunk(part * 5000)
        assert time.process_time() - start < 2, part


def test_plain_captions_need_neither_nltk_nor_ftfy() -> None:
    code = """
import sys
from pretraining.labels import synsets
synsets.label("The dog's house (red), isn't it? Café – 3 km.")
synsets.label("e. coli; a `dog` x's' cat")  # of these the tokenizer must be asked
print([name for name in ("nltk", "ftfy", "torch", "pandas", "pyarrow", "numpy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
