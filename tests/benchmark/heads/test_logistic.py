"""Logistic regression against scikit-learn, and how its penalty is chosen."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmark.heads.logistic import Standardiser, choose, fit


@pytest.fixture(autouse=True)
def small_problems(one_thread):
    """All problems here are small."""


@pytest.mark.parametrize("l2", [1.0, 1e-2, 1e-4])
def test_the_solver_is_scikit_learns(l2):
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(0)
    labels = np.arange(150) % 5
    features = random.normal(size=(5, 12))[labels] + random.normal(size=(150, 12))
    theirs = LogisticRegression(C=1 / (l2 * len(labels)), tol=1e-10, max_iter=10_000).fit(features, labels)
    ours = fit(torch.from_numpy(features), torch.from_numpy(labels), 5, l2)
    assert ours.converged
    assert (
        np.abs(ours.probabilities(torch.from_numpy(features)).numpy() - theirs.predict_proba(features)).max()
        < 1e-3
    )
    assert np.abs(ours.weight.numpy().T - theirs.coef_).max() < 1e-3
    # a bias shared by all classes changes nothing
    ours_bias = ours.bias.numpy() - ours.bias.numpy().mean()
    assert np.abs(ours_bias - (theirs.intercept_ - theirs.intercept_.mean())).max() < 1e-3


def test_a_warm_start_and_float32_and_blocks_of_rows_change_nothing(monkeypatch):
    torch.manual_seed(0)
    labels = torch.arange(90) % 3
    features = torch.randn(3, 6, dtype=torch.float64)[labels] + torch.randn(90, 6, dtype=torch.float64)
    cold = fit(features, labels, 3, 1e-3)
    warm = fit(features, labels, 3, 1e-3, start=fit(features, labels, 3, 1.0))
    single = fit(features.float(), labels, 3, 1e-3)
    monkeypatch.setattr("benchmark.heads.logistic.ROWS", 7)
    blocks = fit(features, labels, 3, 1e-3)
    for other in (warm, single, blocks):
        assert other.converged
        assert torch.allclose(
            other.probabilities(features.to(other.weight)).double(), cold.probabilities(features), atol=2e-3
        )


def test_the_solver_leaves_its_start_and_the_thread_count_alone():
    labels = torch.arange(30) % 3
    features = torch.randn(30, 4, dtype=torch.float64)
    start = fit(features, labels, 3, 1.0)
    weight, threads = start.weight.clone(), torch.get_num_threads()
    fit(features, labels, 3, 1e-3, start=start)
    assert torch.equal(start.weight, weight) and torch.get_num_threads() == threads


def test_features_that_are_no_numbers_are_an_error():
    features = torch.randn(9, 2, dtype=torch.float64)
    features[3, 1] = float("nan")
    with pytest.raises(FloatingPointError, match="not finite"):
        fit(features, torch.arange(9) % 3, 3, 1e-3)


def test_standardising_uses_the_training_images_alone_and_survives_dead_features():
    train = torch.tensor([[0.0, 5.0], [2.0, 5.0 + 1e-12]], dtype=torch.float64)
    scale = Standardiser(train)
    assert torch.allclose(scale(train)[:, 0], torch.tensor([-1.0, 1.0], dtype=torch.float64))
    assert scale(train)[:, 1].abs().max() < 1e-9
    assert scale(torch.tensor([[4.0, 5.0]], dtype=torch.float64))[0, 0] == 3


def test_the_choice_is_the_best_on_validation_and_the_stronger_of_equals():
    torch.manual_seed(0)
    labels = torch.arange(60) % 3
    centres = torch.randn(3, 5, dtype=torch.float64)
    train = centres[labels] + torch.randn(60, 5, dtype=torch.float64)
    val = centres[labels] + torch.randn(60, 5, dtype=torch.float64)
    strengths, told = [10.0, 1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6], []
    chosen = choose(train, labels, val, labels, strengths, lambda *state: told.append(state))
    assert [entry["l2"] for entry in chosen.tried] == strengths
    best = max(chosen.tried, key=lambda entry: (entry["val_top1"], -entry["val_loss"], entry["l2"]))
    assert chosen.l2 == best["l2"]
    right = (chosen.classifier.probabilities(val).argmax(1) == labels).double().mean()
    assert 100 * right == pytest.approx(best["val_top1"])
    assert told == [("penalties", step, 8) for step in range(8)]
