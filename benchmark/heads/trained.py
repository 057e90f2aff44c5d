"""A linear classifier trained for some epochs, as published probes are: not solved, and nothing chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from benchmark.heads.penalty_path import LinearClassifier


def train(
    features: Sequence[Tensor],
    labels: Tensor,
    start: LinearClassifier,
    epochs: int,
    batch_size: int,
    lr: float,
    min_lr: float,
    weight_decay: float,
    seed: int,
    report: Callable[[int, int], None],
    device: torch.device | str = "cpu",
) -> LinearClassifier:
    """AdamW on mean cross-entropy; the learning rate falls along a cosine, step by step.

    Args:
        features: [n, D] in parts, which may be mapped from files; a batch at a time goes to the device.
        labels: [N] int64.
        start: the classifier to begin with; it is left as it is.
        lr, min_lr: at the first and the last step.
        weight_decay: on the weight, not on the bias.
        seed: of the order of the images.
        report: told how many of how many steps are done, epoch by epoch.

    Raises:
        FloatingPointError: the loss is not finite.
    """
    starts = torch.tensor([0, *torch.tensor([len(part) for part in features]).cumsum(0).tolist()])
    count = len(labels)
    with torch.inference_mode(False), torch.enable_grad():
        weight = start.weight.detach().to(device, torch.float32).clone().requires_grad_()
        bias = start.bias.detach().to(device, torch.float32).clone().requires_grad_()
        groups = [{"params": [weight], "weight_decay": weight_decay}, {"params": [bias], "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=lr)
        steps = epochs * -(-count // batch_size)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps - 1), min_lr)
        generator = torch.Generator().manual_seed(seed)
        done = 0
        for _ in range(epochs):
            for chosen in torch.randperm(count, generator=generator).split(batch_size):
                rows = _rows(features, starts, chosen).to(device, torch.float32)
                loss = cross_entropy(rows @ weight + bias, labels[chosen].to(device))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                done += 1
            if not torch.isfinite(loss):
                raise FloatingPointError(f"the loss of the trained probe is not finite after {done} steps")
            report(done, steps)
    return LinearClassifier(weight.detach(), bias.detach(), True, steps)


def _rows(features: Sequence[Tensor], starts: Tensor, chosen: Tensor) -> Tensor:
    """Rows by their places in all parts."""
    part = torch.searchsorted(starts, chosen, right=True) - 1
    found = torch.empty(len(chosen), features[0].shape[1], dtype=features[0].dtype)
    for number in part.unique().tolist():
        here = part == number
        found[here] = features[number][chosen[here] - starts[number]]
    return found
