"""Captions: mostly right, never complete, sometimes useless, as on the web."""

import re

import numpy as np
import pytest

from benchmark.demo_data import DemoSpec
from benchmark.demo_data.concepts import BACKGROUNDS, all_concepts, select
from benchmark.demo_data.pairs import plan
from benchmark.demo_data.streams import stream
from benchmark.demo_data.text import caption

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
