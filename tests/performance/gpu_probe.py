"""The linear probe's path of penalties at ImageNet-1k's size, on synthetic features; for gpu_check.py."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmark.heads import penalty_path
from benchmark.heads.logistic import choose

IMAGENET, MINIATURE = (1_280_000, 1024, 1000), (2_000, 16, 10)
"""Images, width, classes."""
STRENGTHS = [float(value) for value in np.geomspace(10, 1e-6, 45)]
PART = 16_384

Note = Callable[[str, Any], None]
"""Told of each figure as soon as there is one."""


def synthetic(
    images: int, width: int, classes: int, device: torch.device, seed: int = 0
) -> tuple[list[Tensor], Tensor]:
    """Features that classes share much of, with a falling spectrum, in parts on the CPU; and labels."""
    generator = torch.Generator(device).manual_seed(seed)
    spectrum = torch.arange(1, width + 1, device=device).pow(-0.5)
    centres = 0.5 * spectrum * torch.randn(classes, width, generator=generator, device=device)
    rotation = torch.linalg.qr(torch.randn(width, width, generator=generator, device=device))[0]
    parts, labels = [], torch.randint(classes, (images,), generator=generator, device=device)
    for some in labels.split(PART):
        noise = 1.5 * spectrum * torch.randn(len(some), width, generator=generator, device=device)
        parts.append(((centres[some] + noise) @ rotation).cpu())
    return parts, labels.cpu()


def probe(quick: bool, device: torch.device, note: Note) -> None:
    """Choose among 45 strengths with all training features, and see that memory does not grow with them.

    Raises:
        ArithmeticError: a strength was not solved, or the memory beside the features grew with them.
    """
    images, width, classes = MINIATURE if quick else IMAGENET
    parts, labels = synthetic(images + images // 50, width, classes, device)
    held = images // 50
    whole = torch.cat(parts)
    val, val_labels, labels = whole[:held], labels[:held], labels[held:]
    train = list(whole[held:].split(PART))
    note("images", images)
    note("width", width)
    note("classes", classes)
    _forget(device)
    begin = time.perf_counter()
    chosen = choose(train, labels, val, val_labels, STRENGTHS, lambda *state: None, device)
    note("seconds_of_45_strengths", time.perf_counter() - begin)
    note("passes", sum(entry["steps"] for entry in chosen.tried))
    note("largest_excess", max(entry["excess"] for entry in chosen.tried))
    note("val_top1", max(entry["val_top1"] for entry in chosen.tried))
    note("peak_memory_bytes", _peak(device))
    if not all(entry["converged"] for entry in chosen.tried):
        raise ArithmeticError("a strength was not solved")
    note("streamed_peak_memory_bytes", found := [_streamed(train, labels, n, device) for n in (16, 4)])
    if found[0] is not None and found[1] > 1.1 * found[0]:
        raise ArithmeticError(f"four times as many features take {found[1] / found[0]:.2f} times the memory")


def _streamed(train: list[Tensor], labels: Tensor, part: int, device: torch.device) -> int | None:
    """Peak memory of three strengths on a part of the features that stay where they are."""
    some = train[: max(1, len(train) // part)]
    before, penalty_path.RESIDENT = penalty_path.RESIDENT, 0
    try:
        _forget(device)
        labels = labels[: sum(map(len, some))]
        choose(some, labels, some[0], labels[: len(some[0])], STRENGTHS[:3], lambda *state: None, device)
        return _peak(device)
    finally:
        penalty_path.RESIDENT = before


def _forget(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _peak(device: torch.device) -> int | None:
    return torch.cuda.max_memory_allocated() if device.type == "cuda" else None
