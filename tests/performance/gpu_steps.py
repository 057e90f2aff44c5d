"""Pre-training steps on a GPU: whether it computes what a CPU does, and how fast. Parts of gpu_check.py."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from benchmark.speed.contenders import contender_of, model_of, noise, reading_of, recipe_of
from benchmark.speed.geometry import Geometry, load_geometry
from benchmark.speed.measure import take_turns
from benchmark.speed.memory import free
from benchmark.speed.ratios import images_per_second, ratios
from benchmark.speed.study import Plan, Study, again, counted, run, steps_of

LOSS_TOLERANCE, GRADIENT_TOLERANCE = 1e-4, 1e-3
"""Relative differences between two devices in float32 that are put down to the order of sums. The gradient's
is that of the norms, over all parameters. A wrong kernel, or TF32's 10 bits, is far beyond."""
COMPARED = 4
"""Images of the comparison with the CPU."""

Note = Callable[[str, Any], None]
"""Told of each figure as soon as there is one."""

PAPER = load_geometry("vit_b16")
MINIATURE = Geometry(
    architecture="vit_nano_conv16",
    image_size=32,
    classes=50,
    objectives={
        "catlip": {},
        "clip": {"embed_dim": 8, "text_width": 8, "text_layers": 1, "text_heads": 1, "context_length": 8},
    },
    batch_size=4,
    samples=1000,
)


def plan_of(geometry: Geometry, device: torch.device) -> Plan:
    """What is measured of speed: little on a CPU, which only shows that it can be."""
    gpu = device.type == "cuda"
    size = 256 if gpu else geometry.batch_size
    plan = Plan(geometry, ("catlip", "clip"), size, largest=gpu, precision="bf16", rounds=5)
    return replace(plan, turn=1.0 if gpu else 0.01)


def speed(geometry: Geometry, device: torch.device, peak: float | None, note: Note) -> None:
    """How fast objectives train in bf16: what ``python run_suite.py speed`` measures.

    Args:
        geometry: what is measured.
        device: where.
        peak: FLOPs per second that the device has at most in bf16; None where nobody knows.
        note: told each contender's figures under its name.
    """
    plan = plan_of(geometry, device)
    study, _, _ = run(plan, lambda stage, *_, **__: note("stage", stage))
    for name in study.found:
        note(name, figures(study, name, plan.batch_size, peak))


def compiled(geometry: Geometry, device: torch.device, peak: float | None, note: Note) -> None:
    """How fast objectives train in bf16 with their blocks compiled; arguments as `speed` has them."""
    plan = plan_of(geometry, device)
    size = 3 * plan.batch_size  # near the largest at which CLIP fits 80 GB
    for name in plan.objectives:
        contender, batch = contender_of(name, geometry, device, plan.precision, size, compile=True)
        flops = counted(name, geometry, 8)
        series = take_turns({name: steps_of(contender, again(batch, device), device)}, 5, plan.turn)[name]
        rate = images_per_second(series, size, 1)
        note(
            name,
            {
                "batch_size": size,
                "images_per_second": rate.value,
                "interval": [rate.low, rate.high],
                "mfu": mfu(rate.value, flops, peak),
            },
        )
        del contender
        free()


def figures(study: Study, name: str, size: int, peak: float | None) -> dict[str, Any]:
    """What was found of a contender, in numbers that are read."""
    found = study.found[name]
    kept: dict[str, Any] = {"flops_per_image": found.flops and found.flops["total"]}
    for key, series, batch, memory in (
        ("same_batch", found.same, size, found.memory),
        ("largest_batch", found.largest, found.largest_size, found.largest_memory),
    ):
        if series is not None:
            rate = images_per_second(series, batch, study.processes)
            kept[key] = {
                "batch_size": batch,
                "images_per_second": rate.value,
                "interval": [rate.low, rate.high],
                "mfu": mfu(rate.value, found.flops, peak),
                "peak_memory_bytes": memory,
            }
    kept["phases"] = {phase: seconds / size for phase, seconds in found.phases.items()}
    if name != "clip":
        kept["times_cheaper_than_clip"] = {
            ratio.metric: list(ratio.interval[:3]) for ratio in ratios(study, name, "clip", size)
        }
    return kept


def mfu(rate: float, flops: dict[str, float] | None, peak: float | None) -> float | None:
    """Share of the device's peak that a training's arithmetic takes; None where one of them is not known."""
    return rate * flops["total"] / peak if flops and peak else None


@contextmanager
def without_tf32() -> Iterator[None]:
    """float32 in full: PyTorch would let convolutions on a GPU round to 10 bits."""
    backends = (torch.backends.cudnn, torch.backends.cuda.matmul)
    before = [backend.allow_tf32 for backend in backends]
    for backend in backends:
        backend.allow_tf32 = False
    try:
        yield
    finally:
        for backend, allowed in zip(backends, before, strict=True):
            backend.allow_tf32 = allowed


def gradients(objective: str, geometry: Geometry, device: torch.device) -> tuple[float, dict[str, Tensor]]:
    """Loss and gradients (by the parameter's name, on the CPU) of one batch in float32, the same anywhere."""
    reading = reading_of(objective, geometry)
    model = model_of(recipe_of(objective, geometry, COMPARED, "float32"), reading).to(device).train()
    random.seed(0)
    batch = noise(reading, COMPARED, geometry.image_size).to(device)
    with without_tf32():
        loss = model(batch)["loss"]
        loss.backward()
    found = {name: p.grad.cpu() for name, p in model.named_parameters() if p.grad is not None}
    return loss.item(), found


def difference(value: dict[str, Tensor], reference: dict[str, Tensor]) -> float:
    """Norm of the difference over all tensors, relative to that of the reference."""
    if value.keys() != reference.keys():
        raise ValueError("gradients of other parameters")
    squares = [
        ((value[name] - other).square().sum(), other.square().sum()) for name, other in reference.items()
    ]
    return math.sqrt(sum(float(a) for a, _ in squares) / sum(float(b) for _, b in squares))


def compare_float32(geometry: Geometry, device: torch.device, note: Note) -> None:
    """Compare loss and gradients of both objectives on a device with the CPU's.

    Raises:
        ArithmeticError: they differ by more than the tolerances.
    """
    note("tolerances", {"loss": LOSS_TOLERANCE, "gradient": GRADIENT_TOLERANCE})
    wrong = []
    for objective in ("catlip", "clip"):
        (expected, reference), (loss, gradient) = (
            gradients(objective, geometry, where) for where in (torch.device("cpu"), device)
        )
        off, apart = abs(loss / expected - 1), difference(gradient, reference)
        note(
            objective,
            {"cpu_loss": expected, "loss": loss, "loss_difference": off, "gradient_difference": apart},
        )
        if not (off <= LOSS_TOLERANCE and apart <= GRADIENT_TOLERANCE):
            wrong.append(f"{objective} (loss {off:.1g}, gradient {apart:.1g})")
    if wrong:
        raise ArithmeticError(f"beyond the tolerances, relative to the CPU: {', '.join(wrong)}")
