"""How fast this machine's operators are, timed one by one: never a whole step, so nothing is fitted to it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from benchmark.speed.counting import Example, Operator, Spec, Work
from benchmark.speed.devices import Device
from common.machine import available_memory, processor

SHAPES, REPEATS, ROUNDS = 4, 8, 5
"""Of each operator, how many shapes are timed (those that have most to do), and how often at most; calls
that a GPU is given at once."""
_ENOUGH = 0.3
"""Seconds after which a shape is not timed again."""
_LARGE = 2**18
"""Bytes from which operands that were not made recently are outside of the caches."""
_OTHERS = 64 * 2**20
"""Bytes that are touched before such a timing, as a step has touched others since."""
_FRESH = 128 * 2**20
_CHAIN = 50


def calibrate(works: Iterable[Work], device: torch.device, name: str | None = None) -> Device:
    """A device whose rates are this machine's own, for as many threads as PyTorch has.

    Args:
        works: steps whose operators are timed, in their shapes: of the geometries to be predicted, in a batch
            that need not be theirs.
        device: where to time.
        name: what to call it; default the processor's or the GPU's.
    """
    examples: dict[Operator, dict[str, Example]] = defaultdict(dict)
    for work in works:
        for operator, amount in work.operators.items():
            examples[operator].update(amount.examples)
    clock = _Clock(device)
    overhead = _overhead(clock)
    rates = {}
    for operator, found in examples.items():
        with suppress(
            RuntimeError
        ):  # fake tensors' dtypes are not always those of the kernel: as fast as a copy
            rates[operator] = _rate(list(found.values()), clock, overhead)
    cuda = device.type == "cuda"
    return Device(
        name or (torch.cuda.get_device_name(device) if cuda else processor()),
        kind=device.type,
        flops={},  # all that is counted was timed
        bandwidth=_copying(clock),
        memory=torch.cuda.get_device_properties(device).total_memory if cuda else available_memory() or 0,
        link=float("inf"),
        network=float("inf"),
        per_node=2**30,
        shares=(1.0, 1.0, 1.0),
        hides=1.0 if cuda else 0.0,  # a CPU that sends computes nothing meanwhile
        overhead=0.0 if cuda else overhead,
        fresh=0.0 if cuda else _fresh(clock),  # PyTorch keeps a GPU's memory
        rates=rates,
    )


class _Clock:
    """Times what runs on a device."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._others = torch.zeros(_OTHERS, dtype=torch.uint8)
        # One thread's own time counts, which no busy neighbour takes part of.
        single = device.type == "cpu" and torch.get_num_threads() == 1
        self._now = time.thread_time if single else time.perf_counter

    def seconds(self, action: Callable[[], Any], cold: bool = False) -> float:
        """The least that it takes: where nobody disturbs."""
        action()
        took = [self._once(action, cold)]
        while len(took) < REPEATS and sum(took) < _ENOUGH:
            took.append(self._once(action, cold))
        return min(took)

    def _once(self, action: Callable[[], Any], cold: bool) -> float:
        if self.device.type == "cuda":  # whose caches hold nothing worth mentioning of a large batch
            torch.cuda.synchronize(self.device)
            begin = time.perf_counter()
            for _ in range(ROUNDS):
                action()
            torch.cuda.synchronize(self.device)
            return (time.perf_counter() - begin) / ROUNDS
        if cold:
            self._others.add_(1)
        begin = self._now()
        action()
        return self._now() - begin


def _rate(examples: list[Example], clock: _Clock, overhead: float) -> float:
    """FLOPs or bytes per second of an operator, over the shapes that have most of it."""
    done = seconds = 0.0
    for example in sorted(examples, key=lambda example: -example.calls * example.amount)[:SHAPES]:
        args, kwargs = tree_map(lambda leaf: _filled(leaf, clock.device), example.arguments)
        with torch.no_grad():
            took = clock.seconds(
                lambda: example.function(*args, **kwargs),  # noqa: B023  it is called at once
                cold=not example.recent and example.bytes >= _LARGE,
            )
        done += example.calls * example.amount
        seconds += example.calls * max(took - overhead / 2, 1e-7)
    return max(done, 1.0) / seconds


def _filled(leaf: Any, device: torch.device) -> Any:
    """An argument: a tensor like this one, of noise, or of zeros where it might be an index."""
    if isinstance(leaf, torch.device):
        return device
    if not isinstance(leaf, Spec):
        return leaf
    extent = 1 + sum((size - 1) * stride for size, stride in zip(leaf.shape, leaf.stride, strict=True))
    storage: Tensor = torch.zeros(max(extent, 1), dtype=leaf.dtype, device=device)
    if leaf.dtype.is_floating_point:
        storage.normal_()
    return storage.as_strided(leaf.shape, leaf.stride)


def _overhead(clock: _Clock) -> float:
    """Seconds that Python, modules, autograd and the dispatcher take for an operator with nothing to do."""
    layer = (torch.nn.LayerNorm(8), torch.nn.Linear(8, 8), torch.nn.GELU())
    layers = torch.nn.Sequential(*layer * _CHAIN).to(clock.device)
    weights, value = list(layers.parameters()), torch.ones(1, 8, device=clock.device)

    def chain() -> None:
        torch.autograd.grad(layers(value).sum(), weights)

    return clock.seconds(chain) / (9 * _CHAIN)  # three forward; four products and sums, two others backward


def _copying(clock: _Clock) -> float:
    """Bytes per second that are read and written."""
    source = torch.ones(_OTHERS, dtype=torch.uint8, device=clock.device)
    target = torch.empty_like(source)
    return 2 * _OTHERS / clock.seconds(lambda: target.copy_(source))


def _fresh(clock: _Clock) -> float:
    """Seconds that a byte costs which the system has to give, and to zero, before it can be written."""

    def first() -> Tensor:
        return torch.empty(_FRESH, dtype=torch.uint8).fill_(1)

    known = first()
    return max(0.0, clock.seconds(first) - clock.seconds(lambda: known.fill_(1))) / _FRESH


def link_rate(device: torch.device) -> float:
    """Bytes per second that processes pass along their ring; all of those that train together call it.

    For `benchmark.speed.devices.Device.link` of a calibrated machine.
    """
    tensor, processes = torch.zeros(_OTHERS // 4, device=device), torch.distributed.get_world_size()
    took = []
    for _ in range(REPEATS):
        torch.distributed.barrier()
        begin = time.perf_counter()
        torch.distributed.all_reduce(tensor)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        took.append(time.perf_counter() - begin)
    return 2 * (processes - 1) / processes * tensor.nbytes / min(took)
