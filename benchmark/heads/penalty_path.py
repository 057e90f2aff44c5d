"""Multinomial logistic regression with an L2 penalty, solved for a whole path of its strengths.

The strengths are solved from the strongest to the weakest by L-BFGS; three things leave few passes over the
data to be made. The metric of every step is the Hessian's Kronecker approximation (Martens and Grosse 2015):
second moments of the features times the mean covariance of the predicted classes. The features' part is
decomposed once; in its eigenbasis the inverse is a division, for every strength. What L-BFGS has learnt of
curvature is kept from one strength to the next, since the Hessian differs by a multiple of the identity that
is known. And each strength starts where the path leads if it goes straight on in the logarithm of the
strength.

How far a solution may be from the minimum it says itself: strong convexity bounds the excess of the
objective by the gradient's squared norm over twice the strength.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

ROWS = 1 << 15
"""Rows whose logits are held at once: 125 MiB for a thousand classes in float32."""
RESIDENT = 6 << 30
"""Bytes of features up to which they stay on the device; more of them are read from memory in every pass."""
WORTH_THREADS = 50_000_000
"""Multiplications of one product below which several threads cost more in waiting than they save."""
LOOKED_AT = 4096
"""Rows that the metric is made from, or four per class if that is more."""
MEMORY, BACKTRACKS = 10, 25
GOOD_ENOUGH, VERY_GOOD = 1e-5, 1e-6
"""How far the objective may be above its minimum, relative to it, by the solver's own estimate: where a
strength is one of many, and where it is the one that counts."""
LEAST = 1e-2
"""An objective below this, in nats, is taken for this: single precision cannot give more."""


@dataclass(frozen=True)
class LinearClassifier:
    """``logits = features @ weight + bias``.

    Attributes:
        weight: [D, K].
        bias: [K].
        converged: whether the solver's estimate says that the objective is as near to its minimum as asked.
        steps: passes over the training data that it took, from the last strength's solution.
        objective: mean cross-entropy plus penalty.
        excess: what the objective is above its minimum at most, by strong convexity in the weights; of the
            bias, which is not penalised, by an estimate.
    """

    weight: Tensor
    bias: Tensor
    converged: bool = True
    steps: int = 0
    objective: float = float("nan")
    excess: float = float("nan")

    def logits(self, features: Tensor) -> Tensor:
        """Logits [N, K] of features [N, D]."""
        features = features.to(self.weight)
        return torch.cat([rows @ self.weight + self.bias for rows in features.split(ROWS)])

    def probabilities(self, features: Tensor) -> Tensor:
        """Class probabilities [N, K] of features [N, D]."""
        return self.logits(features).softmax(1)


class Standardiser:
    """Shifts and scales features to mean 0 and variance 1 over the training images.

    Args:
        features: of the training images, [N, D], in one or several parts.
    """

    def __init__(self, features: Tensor | Sequence[Tensor]) -> None:
        parts = [features] if isinstance(features, Tensor) else features
        count = sum(map(len, parts))
        total = sum(rows.double().sum(0) for part in parts for rows in part.split(ROWS))
        mean = total / count
        squares = sum((rows.double() - mean).square().sum(0) for part in parts for rows in part.split(ROWS))
        deviation = (squares / count).sqrt()
        # A feature that is constant but for rounding carries nothing; dividing by ~0 would make noise of it.
        floor = 1e-6 * deviation.max().clamp(min=1e-30)
        scale = torch.where(deviation > floor, deviation, torch.ones_like(deviation))
        self.mean, self.scale = mean.to(parts[0].dtype), scale.to(parts[0].dtype)

    def __call__(self, features: Tensor) -> Tensor:
        """Standardised features [N, D] of any images, on the device they are on."""
        return (features - self.mean.to(features)) / self.scale.to(features)

    def of(self, classifier: LinearClassifier) -> LinearClassifier:
        """The classifier of standardised features that says what this one says of plain ones."""
        mean, scale = self.mean.to(classifier.weight), self.scale.to(classifier.weight)
        return LinearClassifier(
            classifier.weight * scale[:, None], classifier.bias + mean @ classifier.weight
        )


class Rows:
    """Training features where the solver has them, in parts of some rows.

    Args:
        features: [N, D] in one or several parts, of which each may be mapped from a file.
        labels: [N] int64.
        classes: K.
        device: where to compute.
        scale: applied to every row; default none.

    Attributes:
        some: evenly chosen rows, from which the predicted classes' covariance is taken.
    """

    def __init__(
        self,
        features: Tensor | Sequence[Tensor],
        labels: Tensor,
        classes: int,
        device: torch.device | str | None = None,
        scale: Standardiser | None = None,
    ) -> None:
        parts = [features] if isinstance(features, Tensor) else list(features)
        self.count, self.width, self.classes = sum(map(len, parts)), parts[0].shape[1], classes
        self.dtype = parts[0].dtype
        self.device = torch.device(device) if device is not None else parts[0].device
        self._scale = scale
        self._parts = [
            (rows, some)
            for part, named in zip(parts, labels.split([len(part) for part in parts]), strict=True)
            for rows, some in zip(part.split(ROWS), named.split(ROWS), strict=True)
        ]
        wanted = max(LOOKED_AT, 4 * classes)  # evenly chosen: data sets come class by class
        stride = max(1, self.count // wanted)
        self.some = torch.cat([self._there(rows[::stride], some)[0] for rows, some in self._parts])
        if self.count * self.width * parts[0].element_size() <= RESIDENT:
            self._parts = [self._there(rows, some) for rows, some in self._parts]
            self._scale = None

    def _there(self, rows: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        rows = rows.to(self.device, non_blocking=True)
        rows = rows if self._scale is None else self._scale(rows)
        return rows, labels.to(self.device, non_blocking=True)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Features [n, D] and labels [n], part by part, on the device."""
        return (self._there(*part) for part in self._parts)

    @property
    def multiplications(self) -> int:
        """Of one product of all features with a classifier."""
        return self.count * self.width * self.classes


class Path:
    """The solutions of one problem for strength after strength.

    Args:
        rows: the training data.
        prior: what weights are drawn towards, and where they and the bias start; default zero, and the
            logarithms of the classes' shares.
    """

    def __init__(self, rows: Rows, prior: LinearClassifier | None = None) -> None:
        self._rows = rows
        like = {"dtype": rows.dtype, "device": rows.device}
        if prior is None:
            self._centre = torch.zeros(rows.width, rows.classes, **like)
            counts = sum(torch.bincount(labels, minlength=rows.classes) for _, labels in rows)
            bias = (counts.to(**like) + 0.5).log()
            bias = bias - bias.mean()
        else:
            self._centre, bias = prior.weight.to(**like), prior.bias.to(**like)
        # one matrix of weights and, as its last row, biases: what the solver moves
        self._point = torch.cat([self._centre, bias[None]])
        self._pairs: list[tuple[Tensor, Tensor]] = []
        self._solved: list[tuple[float, Tensor]] = []
        self._basis: tuple[Tensor, Tensor] | None = None

    def solve(
        self,
        l2: float,
        good_enough: float = GOOD_ENOUGH,
        start: LinearClassifier | None = None,
        max_steps: int = 1000,
    ) -> LinearClassifier:
        """The minimum of mean cross-entropy + l2 / 2 · ||weight - prior||²; the bias is not penalised.

        Args:
            l2: strength of the penalty, above zero.
            good_enough: see `GOOD_ENOUGH`.
            start: where to begin; default where the path leads.
            max_steps: passes over the data at most.

        Raises:
            FloatingPointError: the loss is not finite.
        """
        with torch.inference_mode(False), torch.no_grad(), _threads_for(self._rows.multiplications):
            return self._solve(l2, good_enough, start, max_steps)

    def _solve(
        self, l2: float, good_enough: float, start: LinearClassifier | None, max_steps: int
    ) -> LinearClassifier:
        if self._solved:  # the Hessian of this strength along what was gone for the last one
            more = l2 - self._solved[-1][0]
            self._pairs = [(step, self._stiffer(step, change, more)) for step, change in self._pairs]
        self._point = self._expected(l2) if start is None else torch.cat([start.weight, start.bias[None]])
        loss, slope = self._evaluate(self._point, l2)
        metric = self._metric(l2)
        passes, converged = 1, False
        while passes < max_steps:
            # half the Newton decrement by the metric, which rather says too much: what is still to be gained
            if _dot(slope, metric(slope)) / 2 <= good_enough * max(loss, LEAST):
                converged = True
                break
            direction = self._direction(slope, metric)
            descent = -_dot(slope, direction)
            taken = self._search(loss, slope, direction, descent, l2)
            if taken is None:  # rounding lets nothing more be gained
                break
            point, new_loss, new_slope, tries = taken
            passes += tries
            step, change = point - self._point, new_slope - slope
            if _dot(step, change) > 1e-12 * _dot(step, step):
                self._pairs = [*self._pairs[1 - MEMORY :], (step, change)]
            self._point, loss, slope = point, new_loss, new_slope
        self._solved = [*self._solved[-1:], (l2, self._point)]
        excess = slope[:-1].double().square().sum().item() / (2 * l2)
        excess += _dot(slope[-1], metric(slope)[-1])  # the bias by its curvature, no bound
        return LinearClassifier(
            self._point[:-1].clone(), self._point[-1].clone(), converged, passes, loss, excess
        )

    def _expected(self, l2: float) -> Tensor:
        """Where the path leads, if it goes on in the logarithm of the strength as it did last."""
        if len(self._solved) < 2:
            return self._point
        (before, first), (last, second) = self._solved
        return second if last == before else second + (second - first) * (log(l2 / last) / log(last / before))

    def _stiffer(self, step: Tensor, change: Tensor, l2: float) -> Tensor:
        change = change.clone()
        change[:-1] += l2 * step[:-1]
        return change

    def _evaluate(self, point: Tensor, l2: float) -> tuple[float, Tensor]:
        """Objective and gradient."""
        away = point[:-1] - self._centre
        loss = torch.zeros((), dtype=torch.float64, device=point.device)
        slope = torch.cat([l2 * away, torch.zeros_like(point[-1:])])
        for rows, labels in self._rows:
            log_p = torch.addmm(point[-1], rows, point[:-1]).log_softmax(1)
            loss -= log_p.gather(1, labels[:, None]).sum(dtype=torch.float64)
            error = log_p.exp_()
            error[torch.arange(len(labels), device=error.device), labels] -= 1
            error /= self._rows.count
            slope[:-1].addmm_(rows.T, error)
            slope[-1] += error.sum(0)
        value = loss.item() / self._rows.count + 0.5 * l2 * away.double().square().sum().item()
        if not value < float("inf"):
            raise FloatingPointError(f"the loss of the linear probe is not finite at l2={l2:g}")
        return value, slope

    def _search(
        self, loss: float, slope: Tensor, direction: Tensor, descent: float, l2: float
    ) -> tuple[Tensor, float, Tensor, int] | None:
        """A point along the direction that is lower enough (Armijo), with its loss and gradient."""
        length = 1.0
        for tries in range(1, BACKTRACKS):
            point = self._point + length * direction
            new_loss, new_slope = self._evaluate(point, l2)
            if new_loss <= loss - 1e-4 * length * descent:
                return point, new_loss, new_slope, tries
            # the minimum of the parabola through both losses and the slope
            curve = new_loss - loss + length * descent
            length *= min(max(length * descent / (2 * curve), 0.1), 0.5) if curve > 0 else 0.5
        return None

    def _direction(self, slope: Tensor, metric: Metric) -> Tensor:
        """L-BFGS's two loops."""
        direction, weights = slope.clone(), []
        for step, change in reversed(self._pairs):
            share = _dot(step, direction) / _dot(step, change)
            weights.append(share)
            direction -= share * change
        direction = metric(direction)
        if self._pairs:  # the metric may have the wrong size, of which the last step tells
            step, change = self._pairs[-1]
            direction *= _dot(step, change) / _dot(change, metric(change))
        for (step, change), share in zip(self._pairs, reversed(weights), strict=True):
            direction += (share - _dot(change, direction) / _dot(step, change)) * step
        return -direction

    def _metric(self, l2: float) -> Metric:
        """The Hessian's Kronecker approximation at the current point."""
        if self._basis is None:
            self._basis = self._features_basis()
        p = torch.addmm(self._point[-1], self._rows.some, self._point[:-1]).softmax(1)
        covariance = (torch.diag(p.sum(0)) - p.T @ p).double() / len(p)
        values, vectors = torch.linalg.eigh(covariance)
        values, vectors = values.clamp(min=0).to(self._rows.dtype), vectors.to(self._rows.dtype)
        return Metric(*self._basis, values, vectors, l2)

    def _features_basis(self) -> tuple[Tensor, Tensor]:
        """Eigenvalues and vectors of the features' second moments, in float64 inside."""
        moments = torch.zeros(
            self._rows.width, self._rows.width, dtype=torch.float64, device=self._rows.device
        )
        for rows, _ in self._rows:
            moments += (rows.T @ rows).double()
        values, vectors = torch.linalg.eigh(moments / self._rows.count)
        return values.clamp(min=0).to(self._rows.dtype), vectors.to(self._rows.dtype)


class Metric:
    """The inverse of (second moments of features + a constant one) x (covariance of classes) + l2.

    Args:
        moments, features: eigenvalues [D] and vectors [D, D] of the features' second moments.
        spreads, classes: eigenvalues [K] and vectors [K, K] of the covariance of the predicted classes.
        l2: strength of the penalty on weights.
    """

    def __init__(
        self, moments: Tensor, features: Tensor, spreads: Tensor, classes: Tensor, l2: float
    ) -> None:
        self._features, self._classes = features, classes
        self._weights = moments[:, None] * spreads + l2
        # the bias is not penalised, and moving all of them together changes nothing
        least = 1e-4 * spreads.max().clamp(min=1e-12)
        self._bias = torch.where(spreads > least, 1 / spreads.clamp(min=least), torch.zeros_like(spreads))

    def __call__(self, slope: Tensor) -> Tensor:
        """The inverse times a gradient [D + 1, K]."""
        weights = (
            self._features
            @ ((self._features.T @ slope[:-1] @ self._classes) / self._weights)
            @ self._classes.T
        )
        return torch.cat([weights, (slope[-1:] @ self._classes * self._bias) @ self._classes.T])


def _dot(one: Tensor, other: Tensor) -> float:
    return torch.dot(one.flatten(), other.flatten()).item()


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
