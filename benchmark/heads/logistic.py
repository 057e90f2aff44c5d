"""Multinomial logistic regression on frozen features, its penalty chosen on validation data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from benchmark.heads.penalty_path import LEAST, VERY_GOOD, LinearClassifier, Path, Rows, Standardiser

if TYPE_CHECKING:
    from common.progress import Report

ROUGH = 1e-2
"""How near to the minimum stronger penalties are solved on the way to the one that is asked for."""


def fit(
    features: Tensor,
    labels: Tensor,
    classes: int,
    l2: float,
    start: LinearClassifier | None = None,
    prior: LinearClassifier | None = None,
    good_enough: float = VERY_GOOD,
) -> LinearClassifier:
    """Minimise mean cross-entropy + l2 / 2 · ||weight - prior||² (the bias is not penalised).

    Without a prior the same minimum as scikit-learn's ``LogisticRegression(C=1 / (l2 · N))``.

    Args:
        features: [N, D], float32 or float64, on any device.
        labels: [N] int64.
        l2: strength of the penalty, above zero.
        start: where to begin.
        prior: what weights are drawn towards; default zero.
        good_enough: how near to the minimum, see `penalty_path.GOOD_ENOUGH`.

    Raises:
        FloatingPointError: the loss is not finite.
    """
    path = Path(Rows(features, labels.to(features.device), classes), prior)
    if start is None:  # a weak penalty is nearer to a stronger one's solution than to nothing
        stronger = [l2 * 10**power for power in range(9, 0, -1) if l2 * 10**power <= 1]
        for strength in stronger:
            path.solve(strength, ROUGH)
    return path.solve(l2, good_enough, start)


@dataclass(frozen=True)
class Choice:
    """A penalty, chosen on validation data.

    Attributes:
        l2: its strength.
        classifier: the solution for it, of standardised features.
        scale: which standardises features.
        tried: one dict for each strength that was tried, in that order: l2, val_top1 (percent), val_loss,
            converged, steps, excess (`LinearClassifier`; relative to the objective or `penalty_path.LEAST`).
        correct, loss: of validation, what the choice was made by.
    """

    l2: float
    classifier: LinearClassifier
    scale: Standardiser
    tried: list[dict[str, Any]]
    correct: int
    loss: float

    def logits(self, features: Tensor) -> Tensor:
        """Logits [N, K] of plain features [N, D], on the device of the classifier."""
        return self.classifier.logits(self.scale(features.to(self.classifier.weight.device)))


def choose(
    train: Tensor | Sequence[Tensor],
    train_labels: Tensor,
    val: Tensor,
    val_labels: Tensor,
    strengths: Sequence[float],
    report: Report,
    device: torch.device | str | None = None,
    prior: LinearClassifier | None = None,
) -> Choice:
    """Solve for every strength, each from the last solution; choose by validation accuracy.

    Ties go to the lower validation loss, then to the strength that was tried first. The chosen one is solved
    to `penalty_path.VERY_GOOD`. Test images are no argument.

    Args:
        train, val: features [N, D]; of training in one or several parts, which need not fit the device.
        train_labels, val_labels: [N] int64.
        strengths: of the penalty, strongest first.
        report: told which strength it is at.
        device: where to compute; default where the features are.
        prior: what weights are drawn towards, of plain features; default zero.

    Raises:
        FloatingPointError: a loss is not finite.
    """
    scale = Standardiser(train)
    rows = Rows(train, train_labels, int(train_labels.max()) + 1, device, scale)
    path = Path(rows, prior and scale.of(prior))
    val, truth = scale(val.to(rows.device)), val_labels.to(rows.device)
    best: tuple[tuple[int, float], float, LinearClassifier] | None = None
    tried = []
    for step, l2 in enumerate(strengths):
        report("penalties", step, len(strengths))
        found = path.solve(l2)
        correct, loss = _judged(found, val, truth)
        tried.append(
            {
                "l2": l2,
                "val_top1": 100 * correct / len(truth),
                "val_loss": loss,
                "converged": found.converged,
                "steps": found.steps,
                "excess": found.excess / max(found.objective, LEAST),
            }
        )
        merit = (correct, -loss)
        if best is None or merit > best[0]:
            best = (merit, l2, found)
    (correct, loss), l2, found = best
    return Choice(l2, path.solve(l2, VERY_GOOD, found), scale, tried, correct, -loss)


def _judged(classifier: LinearClassifier, features: Tensor, labels: Tensor) -> tuple[int, float]:
    """How many are right, and the mean cross-entropy."""
    logits = classifier.logits(features)
    loss = torch.nn.functional.cross_entropy(logits.double(), labels)
    return int((logits.argmax(1) == labels).sum()), loss.item()
