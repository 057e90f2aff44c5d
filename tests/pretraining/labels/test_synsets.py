"""Lexicon and labels, against NLTK 3.8.1's rules and NLTK's WordNet where it is installed."""

from __future__ import annotations

import pickle
import random
from collections.abc import Sequence
from itertools import pairwise

import original_nltk
import pytest
import reference_nltk
from hypothesis import given, settings
from tricky_captions import original_labels, tricky, tricky_captions, wordnet_or_skip

from pretraining.labels import arrays as synset_arrays
from pretraining.labels import captions, synsets
from pretraining.labels.arrays import ArrayLabeller
from pretraining.labels.rule import reference_label
from pretraining.labels.synsets import Labeller, Lexicon

lexicon = Lexicon.load()


def names(offsets: Sequence[int]) -> list[str]:
    return [lexicon.name(offset) for offset in offsets]


def as_tuples(arrays: tuple) -> list[tuple[int, ...]]:
    ends, values = (array.tolist() for array in arrays)
    return [tuple(values[a:b]) for a, b in pairwise(ends)]


def test_the_ten_commonest_keys_of_corenet_are_synsets() -> None:
    keys = [5928118, 13333833, 4960277, 7947958, 9638875, 928077, 7996689, 10787470, 5938976, 8559508]
    assert names(keys)[:3] == ["image.n.01", "stock.n.01", "black.n.01"]
    assert all(name.endswith(".n.01") for name in names(keys))


@pytest.mark.parametrize(
    ("token", "lemma"),
    [
        ("dogs", "dog"),
        ("churches", "church"),
        ("wolves", "wolf"),
        ("women", "woman"),
        ("berries", "berry"),
        ("mice", "mouse"),
        ("us", "u"),  # the shortest wins
        ("glasses", "glass"),
        ("qwertys", "qwertys"),
        ("new_yorks", "new_york"),
        ("womens", "woman"),  # "women" is no lemma, so the rules are applied to it once more
        ("policemens", "policeman"),
        ("classess", "class"),
        ("dogsss", "dog"),
        ("micess", "micess"),  # irregular forms are looked up first or never
        ("'hoods", "'hood"),
        ("'dogs", "'dogs"),
        ("", ""),
        ("s", "s"),
        ("Dogs", "Dogs"),
    ],
)
def test_lemmatize(token: str, lemma: str) -> None:
    assert lexicon.lemmatize(token) == lemma


def test_only_head_lemmas_count() -> None:
    assert lexicon.first_synset("car") == 2958343
    assert lexicon.first_synset("automobile") is None
    assert lexicon.first_sense("automobile") == 2958343
    assert lexicon.first_sense("nonsenseword") is None
    assert "automobile" in lexicon and "nonsenseword" not in lexicon


def test_names_and_hypernyms() -> None:
    assert lexicon.name(2084071) == "dog.n.01" and lexicon.offset("dog.n.01") == 2084071
    assert names(lexicon.hypernyms(2084071)) == ["domestic_animal.n.01", "canine.n.02"]
    assert lexicon.hypernyms(1740) == ()
    assert lexicon.path_similarity(2084071, lexicon.offset("cat.n.01")) == 0.2
    assert lexicon.path_similarity(2084071, 2084071) == 1.0
    assert len(lexicon.offsets) == len(lexicon.row_of) == 82115
    for method in (lexicon.name, lexicon.hypernyms):
        with pytest.raises(KeyError):
            method(2084072)
    with pytest.raises(TypeError):
        pickle.dumps(lexicon)


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("Two dogs playing in the snow", ["two.n.01", "dog.n.01", "playing.n.01", "snow.n.01"]),
        ("Dogs. A dog's DOG", ["dog.n.01"]),
        ("a set of black shoes", ["set.n.01", "black.n.01", "shoe.n.01"]),  # whatever its part of speech
        ("an automobile", []),
        ("red,dog and cat/dog", ["red.n.01", "dog.n.01"]),
        ("new_york+city%20dog <b>cat</b>", ["new_york.n.01", "city.n.01", "dog.n.01", "cat.n.01"]),
        ("Womens shoes, policemens classess", ["woman.n.01", "shoe.n.01", "policeman.n.01", "class.n.01"]),
        ("the 'dog house' in the 'hood", ["house.n.01", "'hood.n.01"]),
        ("mercury—the dog–cat bird – fish", ["bird.n.01", "fish.n.01"]),
        ("the the of", []),
        ("", []),
        ("   ", []),
    ],
)
def test_label(caption: str, expected: list[str]) -> None:
    assert names(synsets.label(caption)) == expected


@settings(max_examples=300, deadline=None)
@given(tricky)
def test_the_fast_way_is_the_straight_way(caption: str) -> None:
    expected = reference_label(caption)
    assert synsets.label(caption) == expected
    assert as_tuples(synset_arrays.label_arrays([caption, "dog dog", caption])) == [
        expected,
        (2084071,),
        expected,
    ]


def test_all_ways_agree_on_many_drawn_captions() -> None:
    drawn = [*tricky_captions(2000, seed=1), "dog " * 2500, ""]
    expected = [reference_label(text) for text in drawn]
    assert synsets.label_many(drawn) == expected
    plain = [text for text in drawn if text.isascii()]  # the others hold half of a surrogate pair somewhere
    for some in (drawn, plain):
        assert as_tuples(ArrayLabeller()(some)) == synsets.label_many(some)


def test_labels_are_those_of_nltk() -> None:
    wordnet_or_skip()
    drawn = tricky_captions(1000, seed=2)
    assert synsets.label_many(drawn) == [original_labels(text) for text in drawn]


def test_lemmas_are_those_of_nltk() -> None:
    wordnet = wordnet_or_skip()
    for token in derived_forms([*random.Random(0).sample(sorted(wordnet.all_lemma_names("n")), 3000), ""]):
        assert lexicon.lemmatize(token) == reference_nltk.lemma(token, wordnet), token
        assert lexicon.label(token) == lexicon.first_synset(lexicon.lemmatize(token)), token


def derived_forms(lemmas: list[str]) -> list[str]:
    """Forms of these lemmas and of all irregular ones, to which rules apply never, once or several times."""
    found = []
    for lemma in [*lemmas, *lexicon.irregular_forms()]:
        found += [lemma + ending for ending in ("", "s", "es", "ses", "ss", "sses", "mens", "men's")]
        found += [lemma[:-1] + "ies", lemma[:-1] + "iess", lemma[:-2] + "men", lemma[:-2] + "mens"]
    return found


def test_the_reference_is_nltk_3_8_1() -> None:
    wordnet = wordnet_or_skip()
    import nltk

    if not (original_nltk.FOLDER / "nltk").is_dir():
        pytest.skip("NLTK 3.8.1 is not installed: run python tests/pretraining/original_nltk.py")
    texts = [captions.clean(text) for text in tricky_captions(3000, seed=3)]
    words = derived_forms(random.Random(1).sample(sorted(lexicon.lemmas()), 1000))
    tokens, lemmas = original_nltk.answers(nltk.data.path, texts, words)
    for text, expected in zip(texts, tokens, strict=True):
        assert reference_nltk.tokens(text) == expected, ascii(text)
    for word, expected in zip(words, lemmas, strict=True):
        assert reference_nltk.lemma(word, wordnet) == expected, word


def test_path_similarity_is_that_of_nltk_on_ten_thousand_pairs() -> None:
    wordnet = wordnet_or_skip()
    generator = random.Random(0)
    some = [
        wordnet.synset_from_pos_and_offset("n", offset) for offset in generator.sample(lexicon.offsets, 400)
    ]
    for _ in range(10_000):
        first, second = generator.choices(some, k=2)
        assert lexicon.path_similarity(first.offset(), second.offset()) == first.path_similarity(second)


def test_memory_is_bounded() -> None:
    labeller = Labeller(size=100)
    memory = labeller.label_of_chunk.__self__
    texts = [f"dog-{number} cat house." for number in range(1000)]
    for label in (labeller.label_many, lambda some: as_tuples(ArrayLabeller(labeller)(some))):
        assert label(texts) == [synsets.label("cat house")] * 1000
        assert len(memory) <= 100 and len(memory._before) <= 100
    labeller.label_many([*texts, "x" * 1000])
    assert max(map(len, memory)) < 1000
    assert {"cat", "house."} <= memory.keys() | memory._before.keys()  # what keeps coming is not forgotten


FORMS = ["{}", "{},", "{}.", "({})", '"{}"', '{}."', "{}.)", "[{}]", "{}!", "({}.)", "{}s;", "{}:)", "{}es"]
FORMS += ["{}.,", "{}..", "{}'s", "{}-{}", "{}.{}", '{}".', "'{}'", "{}%20", "{}…", "{}é", "({}).", "{}\t{}"]
FORMS += ["{}/{}", "{}|{}", "{}_{}", "{}'s,", "{}'s.", "{}'S", "{}'", "{}-", "{}s/{}s", "{}-cannot", "{}'s's"]
FORMS += ["'{}", "'{}.", "{}—{}", "{}mens", "{}ss", "{}'a"]


@pytest.mark.parametrize("form", FORMS)
def test_words_in_punctuation_have_the_same_labels_in_arrays(form: str) -> None:
    words = [
        "dog",
        "Dog",
        "2019",
        "x2",
        "e",
        "3",
        "cannot",
        "GONNA",
        "re",
        "US",
        "mens",
        "womens",
        "classess",
        "mice",
        "glass",
        "wo",
    ]
    words += ["x-ray", "merry-go-round", "ice_cream", "no", "o.k.", "café"]
    lemmas = sorted(lexicon.lemmas())
    words += random.Random(0).sample([lemma for lemma in lemmas if lemma.isalnum()], 300)
    words += random.Random(0).sample([lemma for lemma in lemmas if not lemma.isalnum()], 100)
    texts = [form.format(word, word) for word in words]
    assert as_tuples(ArrayLabeller()(texts)) == [reference_label(text) for text in texts]


def test_long_captions_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["a dog and a cat", "the", "red,dog and house", "dog dog", "x" * 200 + " bird"]
    expected = synsets.label_many(texts)
    monkeypatch.setattr(synset_arrays, "_CHARACTERS_AT_ONCE", 20)
    assert as_tuples(synset_arrays.label_arrays(texts)) == expected


@pytest.mark.parametrize("caption", [None, 3, b"dog", ["dog"]])
def test_captions_must_be_text(caption: object) -> None:
    for label in (synsets.label_many, synset_arrays.label_arrays):
        with pytest.raises(TypeError, match="a caption must be text"):
            label(["dog", caption])


def test_no_captions() -> None:
    assert synsets.label_many([]) == []
    assert as_tuples(synset_arrays.label_arrays([])) == []
