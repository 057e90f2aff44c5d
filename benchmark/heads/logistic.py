"""Multinomial logistic regression with an L2 penalty, solved to convergence on all data at once; the penalty
is chosen on validation data.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from common.progress import Report

ROWS = 1 << 16
"""Rows whose logits are held at once: 250 MiB for a thousand classes in float32."""
WORTH_THREADS = 50_000_000
"""Multiplications of one product below which several threads cost more in waiting than they save."""


@dataclass(frozen=True)
class LinearClassifier:
    """``logits = features @ weight + bias``.

    Attributes:
        weight: [D, K].
        bias: [K].
        converged: whether the gradient's largest entry is below 1e-6 (float32: 1e-4).
        steps: L-BFGS iterations it took.
    """

    weight: Tensor
    bias: Tensor
    converged: bool
    steps: int

    def probabilities(self, features: Tensor) -> Tensor:
        """Class probabilities [N, K] of features [N, D]."""
        return torch.cat([(rows @ self.weight + self.bias).softmax(1) for rows in features.split(ROWS)])


def fit(
    features: Tensor,
    labels: Tensor,
    classes: int,
    l2: float,
    start: LinearClassifier | None = None,
    max_steps: int = 2000,
) -> LinearClassifier:
    """Minimise mean cross-entropy + l2 / 2 · ||weight||² (the bias is not penalised) by L-BFGS.

    The same minimum as scikit-learn's ``LogisticRegression(C=1 / (l2 · N))``; the gradient is written out, so
    memory does not grow with an autograd graph.

    Args:
        features: [N, D], float32 or float64, on any device.
        labels: [N] int64.
        l2: strength of the penalty, above zero.
        start: a solution for another strength to start from.

    Raises:
        FloatingPointError: the loss is not finite.
    """
    count, width = features.shape
    weight = start.weight.clone() if start else features.new_zeros(width, classes)
    bias = start.bias.clone() if start else features.new_zeros(classes)
    # The tolerance is asked for; rounding of the loss may stop the line search a little above it.
    tolerance, good_enough = (1e-7, 1e-6) if features.dtype == torch.float64 else (1e-5, 1e-4)
    optimizer = torch.optim.LBFGS(
        [weight, bias],
        max_iter=max_steps,
        max_eval=2 * max_steps,
        history_size=20,
        tolerance_grad=tolerance,
        tolerance_change=1e-15,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        loss = 0.5 * l2 * weight.square().sum()
        weight.grad, bias.grad = l2 * weight, torch.zeros_like(bias)
        for rows, targets in zip(features.split(ROWS), labels.split(ROWS), strict=True):
            log_p = (rows @ weight + bias).log_softmax(1)
            loss = loss - log_p.gather(1, targets[:, None]).sum() / count
            error = log_p.exp_()
            error[torch.arange(len(targets), device=error.device), targets] -= 1
            error /= count
            weight.grad.addmm_(rows.T, error)
            bias.grad += error.sum(0)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss of the linear probe is not finite at l2={l2:g}")
        return loss

    with torch.no_grad(), _threads_for(count * width * classes):
        optimizer.step(closure)
        closure()
        slope = max(weight.grad.abs().max().item(), bias.grad.abs().max().item())
    steps = optimizer.state[weight]["n_iter"]
    return LinearClassifier(weight, bias, slope < good_enough, steps)


class Standardiser:
    """Shifts and scales features to mean 0 and variance 1 over the training images.

    Args:
        features: of the training images, [N, D].
    """

    def __init__(self, features: Tensor) -> None:
        self.mean = features.mean(0)
        deviation = features.std(0, correction=0)
        # A feature that is constant but for rounding carries nothing; dividing by ~0 would make noise of it.
        floor = 1e-6 * deviation.max().clamp(min=1e-30)
        self.scale = torch.where(deviation > floor, deviation, torch.ones_like(deviation))

    def __call__(self, features: Tensor) -> Tensor:
        """Standardised features [N, D] of any images."""
        return (features - self.mean) / self.scale


@dataclass(frozen=True)
class Choice:
    """A penalty, chosen on validation data.

    Attributes:
        l2: its strength.
        classifier: the solution for it.
        tried: one dict for each strength that was tried, in that order: l2, val_top1 (percent), val_loss,
            converged, steps.
    """

    l2: float
    classifier: LinearClassifier
    tried: list[dict[str, Any]]


def choose(
    train: Tensor,
    train_labels: Tensor,
    val: Tensor,
    val_labels: Tensor,
    strengths: Sequence[float],
    report: Report,
) -> Choice:
    """Fit every strength, each from the last solution; choose by validation accuracy.

    Ties go to the lower validation loss, then to the strength that was tried first. Test images are no
    argument.

    Args:
        train, val: features [N, D], standardised.
        train_labels, val_labels: [N] int64, on any device.
        strengths: of the penalty, strongest first.
        report: told which strength it is at.

    Raises:
        FloatingPointError: a loss is not finite.
    """
    labels, truth = train_labels.to(train.device), val_labels.to(train.device)
    classes = int(labels.max()) + 1
    train, val = train.clone(), val.clone()  # out of inference mode: L-BFGS updates in place
    best: tuple[tuple[int, float], float, LinearClassifier] | None = None
    previous, tried = None, []
    for step, l2 in enumerate(strengths):
        report("penalties", step, len(strengths))
        previous = fit(train, labels, classes, l2, start=previous)
        probabilities = previous.probabilities(val)
        correct = int((probabilities.argmax(1) == truth).sum())
        loss = -probabilities.gather(1, truth[:, None]).clamp(min=1e-30).log().mean().item()
        tried.append(
            {
                "l2": l2,
                "val_top1": 100 * correct / len(truth),
                "val_loss": loss,
                "converged": previous.converged,
                "steps": previous.steps,
            }
        )
        merit = (correct, -loss)
        if best is None or merit > best[0]:
            best = (merit, l2, previous)
    return Choice(best[1], best[2], tried)


@contextlib.contextmanager
def _threads_for(multiplications: int) -> Iterator[None]:
    """One thread for small problems: on a busy machine thousands of tiny steps on several threads crawl."""
    before = torch.get_num_threads()
    if multiplications < WORTH_THREADS:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
