"""How much memory a training step takes."""

from __future__ import annotations

import gc
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

from benchmark.speed.contenders import Contender, noise, reading_of
from benchmark.speed.geometry import Geometry
from common.machine import available_memory, world_size
from common.training import group
from pretraining.objectives.base import ImageTextBatch

OWN_SHARE = 0.6
"""Of the memory that a CPU's machine has to give: what fragments and what libraries take is not counted."""


def step_memory(contender: Contender, batch: ImageTextBatch, device: torch.device) -> int:
    """The most bytes that tensors hold at once during a step, weights and the optimizer's state included.

    On a GPU the allocator says it. On a CPU it is what lives from step to step, plus the highest point of
    what the allocator hands out in one step; libraries' own buffers and what fragments are not in it.

    Args:
        contender: one that has made a step already.
        batch: in the CPU's memory.
    """
    contender.model.zero_grad()  # gradients are the step's
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        contender.train([batch.to(device)])
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device)
    return contender.state_bytes() + allocated_by(lambda: contender.train([batch]))


def allocated_by(action: Callable[[], object]) -> int:
    """The highest sum of bytes that were allocated and not yet freed while something ran on the CPU."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or the profiler would tell of itself amid the progress
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        action()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        profiled.export_chrome_trace(str(path))
        events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    changes = sorted(
        (event["ts"], event["args"]["Bytes"])
        for event in events
        if event.get("name") == "[memory]" and event["args"].get("Device Type") == 0
    )
    held = most = 0
    for _, change in changes:
        held += change
        most = max(most, held)
    return most


def largest_batch(
    measure: Callable[[int], int | None], first: int, budget: int, share: float = 0.9, most: int = 1 << 20
) -> tuple[int, int]:
    """The largest batch whose step fits into memory.

    Memory grows with the batch along a line (along a parabola, flat at these sizes, where all pairs of a
    batch are compared): two small batches say which, and what it says is tried.

    Args:
        measure: batch -> bytes of a step, or None where it does not fit.
        first: a batch that is known to fit.
        budget: bytes that there are.
        share: of the budget that may be filled; close to its end an allocator spends its time tidying up.
        most: images that a step shall not exceed.

    Returns:
        The batch, a multiple of `first` // 8 or so, and the bytes that it takes.

    Raises:
        MemoryError: not even `first` fits.
    """
    grain = max(1, first // 8)
    low, high = measure(first), None
    if low is None or low > budget * share:
        raise MemoryError(f"a batch of {first} does not fit into {budget / 2**30:.1f} GiB")
    size, held = first, low
    if 2 * first > most:
        return size, held
    double = measure(2 * first)
    if double is None:
        high = 2 * first
    slope = (double - low) / first if double is not None else (budget * share - low) / first
    if double is not None and double <= budget * share:
        size, held = 2 * first, double
    for _ in range(6):
        aim = int((budget * share - held) / max(slope, 1) + size) // grain * grain
        aim = min(aim, most, high - grain if high else most)
        if aim <= size:
            break
        if (found := measure(aim)) is None or found > budget * share:
            high = aim
            slope = slope * 1.1 if found is None else max(slope, (found - held) / (aim - size))
            continue
        slope = max((found - held) / (aim - size), 1)
        size, held = aim, found
        if budget * share - held < grain * slope or size >= most:
            break
    return size, held


def fitting(
    contender: Contender, geometry: Geometry, device: torch.device, others: int
) -> Callable[[int], int | None]:
    """The function that `largest_batch` asks: all processes answer together.

    Args:
        contender: whose steps are tried.
        geometry: what is measured.
        device: where.
        others: bytes that other contenders hold there.
    """
    reading = reading_of(contender.name, geometry)

    def measure(size: int) -> int | None:
        batch = noise(reading, size, geometry.image_size)
        try:
            # Apart, because a step that fails would leave the sharing of gradients half done.
            with contender.apart():
                contender.train([batch.to(device)])  # libraries choose their kernels, and what these need
                taken = step_memory(contender, batch, device) - others
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            taken = None
        free()  # not before here: the exception held what the step had computed
        answers = group.gather(taken)
        return None if None in answers else max(answers)

    return measure


def out_of_memory(error: Exception) -> bool:
    """Whether memory did not suffice; libraries that find no room on a GPU raise plain errors."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "ALLOC_FAILED" in str(error)


def memory_budget(device: torch.device) -> int:
    """Bytes that a step of one process may take: what nobody else holds."""
    if device.type == "cuda":
        unused, _ = torch.cuda.mem_get_info(device)
        return unused + torch.cuda.memory_reserved(device)
    available = available_memory() or 4 << 30
    return int(OWN_SHARE * available / world_size())


def held_on(device: torch.device) -> int:
    """Bytes of all tensors on a GPU; a CPU's are not told apart from others."""
    return torch.cuda.memory_allocated(device) if device.type == "cuda" else 0


def free() -> None:
    """Give memory back that nobody holds any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
