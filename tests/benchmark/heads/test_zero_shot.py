"""Classifiers that nothing was trained for: OpenCLIP's own, and rows of a classifier over synsets."""

import numpy as np
import open_clip
import pytest
import torch

from backbones import UserError
from backbones.text import TextTower
from backbones.vit import SynsetClassifier
from benchmark.heads import zero_shot
from benchmark.tasks.image_text import first_right
from pretraining.labels.synsets import Lexicon

SYNSETS = tuple(Lexicon.load().offset(name) for name in ("dog.n.01", "cat.n.01", "poodle.n.01", "house.n.01"))


@pytest.fixture
def source():
    generator = torch.Generator().manual_seed(0)
    return SynsetClassifier(
        torch.randn(4, 6, generator=generator), torch.randn(4, generator=generator), SYNSETS
    )


def test_captions_make_what_openclips_own_makes():
    from open_clip.model import CLIP

    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    model = CLIP(16, {"image_size": 32, "layers": 1, "width": 32, "head_width": 32, "patch_size": 16}, text)
    tower = TextTower(model.encode_text, open_clip.SimpleTokenizer(), lambda tokens: tokens, 1.0)
    names = ["hot dog", "tabby cat"]
    ours = zero_shot.from_captions(tower, ["hot_dog", "tabby cat"], "simple")
    own = open_clip.build_zero_shot_classifier(
        model, open_clip.SimpleTokenizer(), names, open_clip.SIMPLE_IMAGENET_TEMPLATES
    )
    torch.testing.assert_close(ours, own.T, atol=1e-5, rtol=0)
    assert zero_shot.from_captions(tower, names, "name").shape == (2, 16)


def test_labels_become_words():
    assert zero_shot.words_of(["hot_dog", "n02084071", "Größe"]) == ["hot dog", "dog", "Größe"]
    wnids = [f"n{number:08d}" for number in range(1000)]
    shuffled = [wnids[number] for number in np.random.default_rng(0).permutation(1000)]
    named = dict(zip(shuffled, zero_shot.words_of(shuffled), strict=True))
    assert [named[wnid] for wnid in wnids] == list(open_clip.IMAGENET_CLASSNAMES)


def test_the_very_synset_gives_its_row(source):
    rows = zero_shot.from_synsets(source, ["cat", "dog", "n02084071"], 0.5, [9, 3, 2, 1])
    torch.testing.assert_close(rows.weight, source.weight[[1, 0, 0]])
    torch.testing.assert_close(rows.bias, source.bias[[1, 0, 0]])
    assert rows.log_count.tolist() == pytest.approx(np.log([3, 9, 9]), abs=1e-6)
    assert rows.report["labels"] == {"exact": 3, "similar": 0, "far": 0, "none": 0} and rows.known.all()


def test_near_synsets_are_weighted_by_their_similarity(source):
    lexicon = Lexicon.load()
    label = "corgi"  # a dog: one step below, two from the poodle
    target = lexicon.offset("corgi.n.01")
    shares = torch.tensor([lexicon.path_similarity(target, synset) for synset in SYNSETS])
    for alpha in (0.3, 0.5):
        near = torch.where(shares >= alpha, shares, 0.0)
        rows = zero_shot.from_synsets(source, [label], alpha)
        torch.testing.assert_close(rows.weight[0], near @ source.weight / near.sum())
        assert rows.report["labels"]["similar"] == 1
    alone = zero_shot.from_synsets(source, [label], 1.0)
    torch.testing.assert_close(alone.weight[0], source.weight[int(shares.argmax())])
    assert alone.report["labels"]["far"] == 1


def test_a_label_of_two_synsets_gets_their_mean_and_one_of_none_is_never_said(source):
    rows = zero_shot.from_synsets(source, ["dog house cat", "zzyzx"], 0.5)
    assert rows.known.tolist() == [True, False]
    for bias in ("own", "zero"):
        logits = rows.classifier(bias).logits(torch.randn(50, 6))
        assert (logits.argmax(1) == 0).all() and torch.isfinite(logits).all()
    with pytest.raises(UserError, match="counts of words"):
        rows.classifier("rarity")
    with pytest.raises(UserError, match="none of 1 labels"):
        zero_shot.from_synsets(source, ["zzyzx"], 0.5)


def test_biases_are_treated_as_said(source):
    rows = zero_shot.from_synsets(source, ["dog", "cat"], 0.5, [9, 3, 2, 1])
    features = torch.randn(5, 6)
    own = features @ source.weight[:2].T + source.bias[:2]
    torch.testing.assert_close(rows.classifier("own").logits(features), own)
    zero = rows.classifier("zero").logits(features)
    torch.testing.assert_close(zero, own - source.bias[:2])
    rarity = rows.classifier("rarity").logits(features)
    torch.testing.assert_close(rarity, own - torch.tensor([9.0, 3.0]).log())


def test_ranks_are_those_of_the_best_right_answer():
    generator = np.random.default_rng(0)
    queries, answers = torch.as_tensor(generator.normal(size=(2, 30, 4)), dtype=torch.float32)
    same = np.arange(30) // 2
    similarity = (queries @ answers.T).numpy()
    expected = []
    for row in range(30):
        order = np.argsort(-similarity[row])
        hits = np.flatnonzero(same[order] == same[row])
        expected.append(hits[0])
    assert first_right(queries, answers, same, chunk=7).tolist() == expected
    alike = torch.ones(30, 4)
    assert first_right(alike, alike, same).tolist() == [28] * 30  # the same of everything wins nothing
