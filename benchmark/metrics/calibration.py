"""How far a classifier's probabilities can be believed: calibration errors, likelihood, temperature."""

from __future__ import annotations

import numpy as np

from benchmark.records.schema import Metric

BINS = 15


def measure(labels: np.ndarray, logits: np.ndarray, temperature: float | None) -> dict[str, Metric]:
    """ECE, adaptive ECE, NLL and Brier score, as the classifier says it and (``_scaled``) by a temperature.

    Args:
        labels: [N] int64.
        logits: [N, K].
        temperature: that logits are divided by, found on other images (`fit_temperature`); None where there
            are none: the classifier's own figures alone.

    Returns:
        Metrics without intervals; ``ece`` and ``adaptive_ece`` in percent, ``nll`` in nats per image,
        ``brier`` from 0 to 2 (the squared distance of all probabilities to the truth).
    """
    found = {}
    scales = {"": 1.0} if temperature is None else {"": 1.0, "_scaled": temperature}
    for ending, scale in scales.items():
        log_p = log_softmax(logits / scale)
        probabilities = np.exp(log_p)
        confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
        found |= {
            f"ece{ending}": _metric(100 * ece(confidence, right), len(labels), "percent"),
            f"adaptive_ece{ending}": _metric(100 * adaptive_ece(confidence, right), len(labels), "percent"),
            f"nll{ending}": _metric(-log_p[np.arange(len(labels)), labels].mean(), len(labels), "nats"),
            f"brier{ending}": _metric(brier(labels, probabilities), len(labels), "squared distance"),
        }
    return found


def ece(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error over bins of equal width (Guo et al. 2017).

    Args:
        confidence: [N] probability of the likeliest class.
        right: [N] bool.
    """
    places = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return _gap(places, confidence, right, bins)


def adaptive_ece(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> float:
    """The same over bins of equally many images (Nguyen and O'Connor 2015)."""
    order = np.argsort(confidence, kind="stable")
    places = np.empty(len(order), dtype=int)
    places[order] = np.arange(len(order)) * bins // len(order)
    return _gap(places, confidence, right, bins)


def brier(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean squared distance of the probabilities to the truth, over all classes."""
    squares = np.square(probabilities).sum(1)
    return float((squares - 2 * probabilities[np.arange(len(labels)), labels] + 1).mean())


def fit_temperature(labels: np.ndarray, logits: np.ndarray) -> float:
    """The temperature at which logits are likeliest (Guo et al. 2017), between 0.05 and 20.

    Args:
        labels: [N] int64, of images that the classifier was neither trained nor tested on.
        logits: [N, K].
    """
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        log_p = log_softmax(logits / np.exp(log_temperature))
        return -log_p[np.arange(len(labels)), labels].mean()

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20.0)), method="bounded")
    return float(np.exp(found.x))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Logarithms of probabilities [N, K], in float64."""
    shifted = logits.astype(np.float64) - logits.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def _gap(places: np.ndarray, confidence: np.ndarray, right: np.ndarray, bins: int) -> float:
    """Distance of mean confidence and accuracy, bin by bin, weighted by images."""
    difference = np.bincount(places, confidence - right, minlength=bins)
    return float(np.abs(difference).sum() / len(confidence))


def _metric(value: float, n: int, unit: str) -> Metric:
    return Metric(value=float(value), n=n, unit=unit, higher_is_better=False)
