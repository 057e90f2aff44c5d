"""Transfer Init: rows of the pre-trained classifier for the labels of a new task."""

from __future__ import annotations

import pytest
import torch

from benchmark.heads.transfer_init import initial_classifier
from common.errors import UserError
from pretraining.labels.matching import match_labels
from pretraining.labels.synsets import Lexicon
from pretraining.labels.vocabulary import Vocabulary

NAMES = ("dog.n.01", "restaurant.n.01", "kitchen.n.01", "cat.n.01")
VOCABULARY = Vocabulary.of_counts({Lexicon.load().offset(name): 9 - i for i, name in enumerate(NAMES)})


def classifier(width: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(4, width, generator=generator), torch.randn(4, generator=generator) - 5


def test_rows_are_copied_averaged_or_drawn() -> None:
    weight, bias = classifier()
    labels = ["cat", "restaurant kitchen", "qwert", "poodle", "kitchen", "star"]
    new_weight, new_bias = initial_classifier(match_labels(labels, VOCABULARY, 0.5), weight, bias)
    assert new_weight.shape == (6, 8) and new_bias.shape == (6,)
    for target, rows in ((0, [3]), (1, [1, 2]), (3, [0]), (4, [2])):
        torch.testing.assert_close(new_weight[target], weight[rows].mean(0))
        torch.testing.assert_close(new_bias[target], bias[rows].mean())
    for target in (2, 5):
        assert 0 < new_weight[target].abs().max() < 0.1
        torch.testing.assert_close(new_bias[target], new_bias[[0, 1, 3, 4]].mean())
    assert not torch.equal(new_weight[2], new_weight[5])


def test_logits_of_exact_labels_are_those_of_the_source() -> None:
    weight, bias = classifier()
    matches = match_labels(["kitchen", "dog"], VOCABULARY, 1)
    features = torch.randn(5, 8)
    logits = torch.nn.functional.linear(features, *initial_classifier(matches, weight, bias))
    torch.testing.assert_close(logits, torch.nn.functional.linear(features, weight, bias)[:, [2, 0]])


def test_a_label_matched_in_part_gets_what_matched() -> None:
    weight, bias = classifier()
    (first, *_) = initial_classifier(match_labels(["star dog"], VOCABULARY, 1), weight, bias)
    torch.testing.assert_close(first[0], weight[0])


def test_random_rows_depend_on_the_seed_alone() -> None:
    weight, bias = classifier(width=4000)
    labels = ["qwert", "asdf"]

    def drawn(labels: list[str], **settings: float) -> torch.Tensor:
        return initial_classifier(match_labels(labels, VOCABULARY, 1), weight, bias, **settings)[0]

    state = torch.get_rng_state()
    first = drawn(labels)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, drawn(labels)) and not torch.equal(first, drawn(labels, seed=1))
    assert torch.equal(first[1], drawn(["dog", "asdf"])[1])
    assert first.std().item() == pytest.approx(0.02, rel=0.05)
    assert drawn(labels, std=0.1).std().item() == pytest.approx(0.1, rel=0.05)


def test_what_was_given_stays_as_it_is() -> None:
    weight, bias = (tensor.to(torch.float64).requires_grad_() for tensor in classifier())
    before = weight.detach().clone()
    new_weight, new_bias = initial_classifier(match_labels(["dog", "qwert"], VOCABULARY, 1), weight, bias)
    assert new_weight.dtype == new_bias.dtype == torch.float64
    assert not new_weight.requires_grad and not new_bias.requires_grad
    new_weight.zero_()
    assert torch.equal(weight, before)


def test_nothing_matches() -> None:
    weight, bias = classifier()
    _, new_bias = initial_classifier(match_labels(["qwert"], VOCABULARY, 1), weight, bias)
    assert new_bias.tolist() == [0]


def test_another_vocabulary_is_refused() -> None:
    weight, bias = classifier()
    with pytest.raises(UserError, match="matches class 3, but the classifier has 3"):
        initial_classifier(match_labels(["cat"], VOCABULARY, 1), weight[:3], bias[:3])
