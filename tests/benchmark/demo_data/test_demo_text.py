"""Captions: mostly right, never complete, sometimes useless, as on the web."""

import re
from collections import Counter

import numpy as np
import pytest

from benchmark.demo_data import DemoSpec
from benchmark.demo_data.concepts import BACKGROUNDS, all_concepts, select
from benchmark.demo_data.pairs import plan
from benchmark.demo_data.streams import stream
from benchmark.demo_data.text import caption
from pretraining.labels.synsets import Lexicon

FORMS = {form: c.noun for c in all_concepts() for form in (c.noun, c.plural)}


def words(text):
    return re.findall("[a-z]+", text.lower())


@pytest.fixture(scope="module")
def written():
    jobs = plan(DemoSpec(pairs=3_000), "train")
    return [(j, caption(stream(0, "text", j.index), j.objects, j.ground, j.others)) for j in jobs]


def test_captions_name_most_of_what_is_there_and_little_else(written):
    mentioned = wrong = there = 0
    for job, text in written:
        said = {FORMS[word] for word in words(text) if word in FORMS}
        seen = {concept.noun for concept in job.objects}
        there += len(seen)
        mentioned += len(said & seen)
        wrong += bool(said - seen)
    assert 0.75 < mentioned / there < 0.9
    assert 0.005 < wrong / len(written) < 0.05


def test_some_captions_say_nothing(written):
    silent = [text for _, text in written if not any(word in FORMS for word in words(text))]
    assert 0.02 < len(silent) / len(written) < 0.07


def test_grounds_are_named_sometimes_and_correctly(written):
    named = [(job, word) for job, text in written for word in set(words(text)) & set(BACKGROUNDS)]
    assert 0.25 < len(named) / len(written) < 0.45
    assert all(word == job.ground for job, word in named)


def test_several_of_a_kind_are_plural(written):
    repeated = [(j, t) for j, t in written if len(j.objects) > len(set(j.objects))]
    assert 0.05 < len(repeated) / len(written) < 0.35
    for job, text in repeated:
        for concept in set(job.objects):
            if list(job.objects).count(concept) > 1 and concept.plural != concept.noun:
                assert concept.noun not in words(text), text
                break
    plurals = {c.plural for c in all_concepts()} - {c.noun for c in all_concepts()}
    assert 0.05 < np.mean([bool(plurals & set(words(text))) for _, text in written]) < 0.35


def test_captions_look_like_alt_text(written):
    texts = [text for _, text in written]
    lengths = [len(text.split()) for text in texts]
    assert 5 <= np.median(lengths) <= 9
    assert max(lengths) <= 40
    assert all(text == text.strip() and text.isprintable() and text for text in texts)
    assert not any("{" in text or "  " in text for text in texts)
    assert any(text.startswith("#") for text in texts)
    assert any(text.endswith(".png") for text in texts)
    assert any(text.isupper() for text in texts)
    assert len(set(texts)) > 0.9 * len(texts)


def test_concepts_and_grounds_are_equally_common():
    jobs = plan(DemoSpec(pairs=6_000), "train")
    counts = dict.fromkeys(select(150), 0)
    for job in jobs:
        for concept in job.objects:
            counts[concept] += 1
    assert min(counts.values()) > 0.75 * np.mean(list(counts.values()))
    assert max(counts.values()) < 1.25 * np.mean(list(counts.values()))
    grounds = [job.ground for job in jobs]
    assert {grounds.count(ground) for ground in BACKGROUNDS} == {500}
    sizes = np.bincount([len(job.objects) for job in jobs])
    assert sizes[0] == 0 and len(sizes) == 6
    assert sizes[1:4].sum() > 0.8 * len(jobs)


def reworded(wording):
    jobs = plan(DemoSpec(pairs=600), "train")
    return [(j, caption(stream(0, "text", j.index), j.objects, j.ground, j.others, wording)) for j in jobs]


def test_clean_captions_name_all_that_is_there_and_nothing_else():
    for job, text in reworded("clean"):
        said = {FORMS[word] for word in words(text) if word in FORMS}
        assert said == {concept.noun for concept in job.objects}, text
        assert job.ground in words(text), text


def test_noisy_captions_name_less_and_more_of_it_is_wrong():
    missed, wrong = [], []
    for job, text in reworded("noisy"):
        said = {FORMS[word] for word in words(text) if word in FORMS}
        seen = {concept.noun for concept in job.objects}
        missed.append(len(seen - said) / len(seen))
        wrong.append(bool(said - seen))
    assert np.mean(missed) > 0.35 and 0.1 < np.mean(wrong) < 0.3


def test_rare_names_are_those_of_kinds_of_the_thing():
    lexicon = Lexicon.load()
    seen = {concept.noun for job in plan(DemoSpec(pairs=600), "train") for concept in job.objects}
    synsets = {lexicon.first_synset(noun) for noun in seen}
    usual = Counter(word for _, text in reworded("web") for word in words(text))
    rare = Counter(word for _, text in reworded("rare") for word in words(text))
    new = {word for word in rare if word not in usual and lexicon.label(word)}
    kinds = {word for word in new if set(lexicon.hypernyms(lexicon.label(word))) & synsets}
    assert len(kinds) > 50 and len(kinds) > 0.9 * len(new)
    assert max(rare[word] for word in kinds) < 10
