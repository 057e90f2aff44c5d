"""Calibration against plain definitions and scikit-learn."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import log_loss

from benchmark.metrics import calibration


@pytest.fixture
def predictions():
    random = np.random.default_rng(0)
    logits = 3 * random.normal(size=(700, 6))
    labels = np.array([random.choice(6, p=p) for p in np.exp(calibration.log_softmax(logits / 2))])
    return labels, logits


def plain_ece(confidence, right, edges):
    total = 0.0
    for low, high in pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            total += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    return total


def test_the_figures_are_those_of_their_definitions(predictions):
    labels, logits = predictions
    found = calibration.measure(labels, logits, temperature=2.0)
    for ending, scale in (("", 1.0), ("_scaled", 2.0)):
        p = np.exp(logits / scale) / np.exp(logits / scale).sum(1, keepdims=True)
        confidence, right = p.max(1), p.argmax(1) == labels
        expected = plain_ece(confidence, right, np.linspace(0, 1, 16))
        assert found[f"ece{ending}"].value == pytest.approx(100 * expected)
        order = np.argsort(confidence)
        parts = [order[np.arange(700) * 15 // 700 == b] for b in range(15)]
        expected = sum(len(i) * abs(confidence[i].mean() - right[i].mean()) for i in parts) / 700
        assert found[f"adaptive_ece{ending}"].value == pytest.approx(100 * expected)
        assert found[f"nll{ending}"].value == pytest.approx(log_loss(labels, p))
        assert found[f"brier{ending}"].value == pytest.approx(np.square(p - np.eye(6)[labels]).sum(1).mean())
    assert not any(metric.higher_is_better for metric in found.values())


def test_the_temperature_is_that_of_who_drew_the_labels(predictions):
    labels, logits = predictions
    temperature = calibration.fit_temperature(labels, logits)
    assert temperature == pytest.approx(2, rel=0.15)
    tried = (0.9 * temperature, temperature, 1.1 * temperature)
    losses = [log_loss(labels, np.exp(calibration.log_softmax(logits / t))) for t in tried]
    assert losses[1] == min(losses)
    found = calibration.measure(labels, logits, temperature)
    assert found["ece_scaled"].value < found["ece"].value


def test_certain_and_right_is_perfect_and_huge_logits_stay_finite():
    labels = np.array([0, 1, 2])
    found = calibration.measure(labels, 1e6 * np.eye(3), 1.0)
    assert all(metric.value == pytest.approx(0, abs=1e-9) for metric in found.values())
    wrong = calibration.measure(labels, 1e4 * np.eye(3)[[1, 2, 0]], 1.0)
    assert wrong["ece"].value == pytest.approx(100) and wrong["brier"].value == pytest.approx(2)
