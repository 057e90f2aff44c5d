"""Logistic regression against scikit-learn, and how its penalty is chosen."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmark.heads import penalty_path
from benchmark.heads.logistic import choose, fit
from benchmark.heads.penalty_path import LinearClassifier, Path, Rows, Standardiser


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
    ours = fit(torch.from_numpy(features), torch.from_numpy(labels), 5, l2, good_enough=1e-12)
    assert ours.converged and ours.excess < 1e-8
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
    monkeypatch.setattr(penalty_path, "ROWS", 7)
    blocks = fit(features, labels, 3, 1e-3)
    for other in (warm, single, blocks):
        assert other.converged
        assert torch.allclose(
            other.probabilities(features.to(other.weight)).double(), cold.probabilities(features), atol=1e-2
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
    right = (chosen.logits(val).argmax(1) == labels).double().mean()
    assert 100 * right == pytest.approx(best["val_top1"], abs=1.7), "solved further, an image may change"
    assert told == [("penalties", step, 8) for step in range(8)]


STRENGTHS = [float(value) for value in np.geomspace(10, 1e-5, 20)]


def problem(count=600, width=20, classes=7, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    centres = torch.randn(classes, width, generator=generator, dtype=dtype)
    mixed = torch.randn(width, width, generator=generator, dtype=dtype)
    return (centres[labels] + torch.randn(count, width, generator=generator, dtype=dtype)) @ mixed, labels


def objective(features, labels, found, l2, prior=None):
    centre = 0 if prior is None else prior.weight
    loss = torch.nn.functional.cross_entropy(features @ found.weight + found.bias, labels)
    return (loss + l2 / 2 * (found.weight - centre).square().sum()).item()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_every_point_of_the_path_is_as_near_its_minimum_as_is_said(dtype):
    features, labels = problem(dtype=dtype)
    features = Standardiser(features)(features)  # as `choose` has them
    path, exact = Path(Rows(features, labels, 7)), Path(Rows(features.double(), labels, 7))
    for l2 in STRENGTHS:
        found = path.solve(l2)
        least = exact.solve(l2, 1e-11).objective
        assert found.converged
        assert found.objective == pytest.approx(objective(features, labels, found, l2), rel=1e-5)
        assert found.objective / least - 1 <= 2e-4
        assert found.objective - least <= found.excess + 1e-6 * least


def test_a_path_takes_few_passes():
    features, labels = problem(2000, 40, 10)
    path = Path(Rows(features, labels, 10))
    passes = [path.solve(l2).steps for l2 in np.geomspace(10, 1e-6, 45)]
    cold = sum(fit(features, labels, 10, l2, good_enough=1e-5).steps for l2 in np.geomspace(10, 1e-6, 45))
    assert sum(passes) <= 6 * 45 and 3 * sum(passes) < cold


def test_weights_are_drawn_towards_a_prior():
    features, labels = problem(60)
    generator = torch.Generator().manual_seed(3)
    prior = LinearClassifier(
        torch.randn(20, 7, generator=generator, dtype=torch.float64), torch.ones(7, dtype=torch.float64)
    )
    strong = fit(features, labels, 7, 1e6, prior=prior)
    torch.testing.assert_close(strong.weight, prior.weight, atol=1e-4, rtol=0)
    found = fit(features, labels, 7, 1e-2, prior=prior, good_enough=1e-12)
    best = objective(features, labels, found, 1e-2, prior)
    for _ in range(20):
        step = 1e-3 * torch.randn(20, 7, generator=generator, dtype=torch.float64)
        other = LinearClassifier(found.weight + step, found.bias)
        assert objective(features, labels, other, 1e-2, prior) > best


def test_a_prior_is_of_plain_features():
    features, labels = problem(80)
    scale = Standardiser(features)
    plain = LinearClassifier(torch.randn(20, 7, dtype=torch.float64), torch.randn(7, dtype=torch.float64))
    torch.testing.assert_close(scale.of(plain).logits(scale(features)), plain.logits(features))
    chosen = choose(features, labels, features, labels, [1e8, 1e7], lambda *state: None, prior=plain)
    shift = chosen.logits(features) - plain.logits(features)  # biases are free
    assert shift.std(0).max() < 1e-2 * plain.logits(features).std()


def test_features_in_parts_that_stay_where_they_are_give_the_same(monkeypatch):
    features, labels = problem(500)
    whole = choose(features, labels, features, labels, STRENGTHS[:8], lambda *state: None)
    monkeypatch.setattr(penalty_path, "ROWS", 64)
    monkeypatch.setattr(penalty_path, "RESIDENT", 0)
    parts = choose(
        [features[:130], features[130:131], features[131:]], labels, features, labels, STRENGTHS[:8],
        lambda *state: None,
    )  # fmt: skip
    assert parts.l2 == whole.l2
    torch.testing.assert_close(parts.classifier.weight, whole.classifier.weight, atol=2e-3, rtol=1e-2)
    rows = Rows([features[:130], features[130:]], labels, 7, scale=Standardiser(features))
    assert all(len(part) <= 64 for part, _ in rows) and sum(len(part) for part, _ in rows) == 500


def test_no_part_that_is_held_grows_with_the_number_of_images(monkeypatch, tmp_path):
    monkeypatch.setattr(penalty_path, "ROWS", 256)
    monkeypatch.setattr(penalty_path, "RESIDENT", 0)
    monkeypatch.setattr(penalty_path, "LOOKED_AT", 512)
    held = []
    for count in (1024, 8192):
        features, labels = problem(count, 16, 4, dtype=torch.float32)
        np.save(tmp_path / "rows.npy", features.numpy())
        mapped = torch.from_numpy(np.load(tmp_path / "rows.npy", mmap_mode="c"))
        rows = Rows(mapped, labels, 4, scale=Standardiser(mapped))
        held.append((max(part.numel() for part, _ in rows), rows.some.numel()))
        assert Path(rows).solve(1e-2).converged
    assert held == [(256 * 16, 512 * 16)] * 2
