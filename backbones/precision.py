"""Mixed precision on whatever device there is."""

from __future__ import annotations

import math
import os
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import Tensor, nn

from common.errors import UserError
from common.files import read_json, write_json
from common.machine import processor

MARGIN = 1.1
"""How many times as fast as float32 bf16 must be on a CPU: it rounds to 8 bits, which a tie is not worth."""
WIDEST = 256
"""Widths above are timed as this one: the ratio hardly changes from there on, the time it takes does."""
_TOKENS, _ROUNDS = 256, 3


class Speeds(NamedTuple):
    """What one core computes of a ViT block's products and their gradients, in 10^9 operations per second."""

    float32: float
    bf16: float


def resolve(precision: str, device: str | torch.device, width: int = 768) -> str:
    """What a precision is on a device: ``float32`` or ``bf16``.

    ``auto`` is bf16 on GPUs that have it (Ampere or later), and on CPUs that were timed to be `MARGIN` times
    as fast with it: an instruction for bf16 is no promise. Nothing but the machine and the width has a say,
    so that objectives to be compared train in the same precision.

    Args:
        precision: ``auto``, ``float32`` or ``bf16``.
        device: where the computation runs.
        width: of the ViT's tokens.

    Raises:
        ValueError: another precision.
    """
    if precision not in {"auto", "float32", "bf16"}:
        raise ValueError(f"precision is auto, float32 or bf16, not {precision!r}")
    if precision != "auto":
        return precision
    if torch.device(device).type == "cuda":
        faster = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        speeds = cpu_speeds(width)
        faster = speeds.bf16 >= MARGIN * speeds.float32
    return "bf16" if faster else "float32"


def autocast(device: str | torch.device, precision: str) -> torch.autocast:
    """The autocast context for a precision as `resolve` returns it: one that does nothing for ``float32``."""
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16, enabled=precision == "bf16")


_known: dict[str, Speeds] = {}


def cpu_speeds(width: int) -> Speeds:
    """How fast this CPU is in either precision: timed once, then remembered by this process and in a file.

    The file (`memory`) is a help, no more: where it is missing, damaged or cannot be written, the CPU is
    timed once per process.
    """
    width = min(width, WIDEST)
    # The unit is named, because a virtual machine may call its CPU no more than "AMD EPYC".
    key = f"{processor()}, {bf16_unit()}, torch {torch.__version__}, width {width}"
    if key not in _known:
        path = memory()
        found = read_json(path) if path else None
        remembered = found if isinstance(found, dict) else {}
        speeds = _checked(remembered.get(key))
        if speeds is None:
            speeds = time_cpu(width)
            if path:
                with suppress(OSError, UserError):
                    write_json(path, {**remembered, key: speeds._asdict()})
        _known[key] = speeds
    return _known[key]


def memory() -> Path | None:
    """The file that speeds are remembered in; None for a user without a home."""
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    except RuntimeError:
        return None
    return cache / "catlip-transfer" / "precision.json"


def bf16_unit() -> str:
    """What the CPU has for products of bf16 matrices. That it is there does not say that it is fast."""
    if torch.cpu._is_amx_tile_supported():
        return "AMX"
    return "AVX512-BF16" if torch.cpu._is_avx512_bf16_supported() else "no bf16 unit"


def time_cpu(width: int) -> Speeds:
    """Time a ViT block's products forward and backward in both precisions, in turns; the best of each counts.

    What a training step pays for bf16, the conversion of weights and tokens, is part of it. It takes some
    tens of milliseconds. One core does it, and its own CPU time counts: of several threads, each waits for
    the one that a busy neighbour has put aside, and the ratio of such times is chance.
    """
    # Queries, keys and values; the MLP's two layers. No random numbers: the training's own would move on.
    layers = [
        (
            torch.ones(_TOKENS, inputs * width, requires_grad=True),
            torch.full((outputs * width, inputs * width), 0.01, requires_grad=True),
        )
        for inputs, outputs in ((1, 3), (1, 4), (4, 1))
    ]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        # The first round loads the kernels.
        rounds = [[_seconds(layers, name) for name in Speeds._fields] for _ in range(1 + _ROUNDS)][1:]
    finally:
        torch.set_num_threads(threads)
    operations = sum(3 * 2 * len(tokens) * weight.numel() for tokens, weight in layers)
    return Speeds(*(operations / min(seconds) / 1e9 for seconds in zip(*rounds, strict=True)))


def _seconds(layers: list[tuple[Tensor, Tensor]], precision: str) -> float:
    begin = time.thread_time()
    with torch.enable_grad(), autocast("cpu", precision):
        outputs = [F.linear(tokens, weight) for tokens, weight in layers]
    torch.autograd.grad(
        outputs, [leaf for pair in layers for leaf in pair], list(map(torch.ones_like, outputs))
    )
    return time.thread_time() - begin


def _checked(entry: Any) -> Speeds | None:
    """Speeds as the file has them; None for whatever else somebody wrote there."""
    try:
        speeds = Speeds(**entry)
        return speeds if all(0 < speed < math.inf for speed in speeds) else None
    except TypeError:
        return None


@OPTIM_WRAPPERS.register_module()
class Bf16OptimWrapper(OptimWrapper):
    """MMEngine's OptimWrapper under bfloat16 autocast, on CPU as well as GPU.

    MMEngine's own `AmpOptimWrapper` refuses to run without a GPU. bfloat16 has float32's range, so no loss
    scaling is needed. Processes that train together must make theirs together.

    Args:
        precision: ``float32``, ``bf16``, or ``auto``: see `resolve`.
        width: of the ViT's tokens, for ``auto``.
        **kwargs: of `mmengine.optim.OptimWrapper`.

    Attributes:
        precision: what it trains in: ``float32`` or ``bf16``.

    Raises:
        ValueError: another precision.
    """

    def __init__(self, precision: str = "auto", width: int = 768, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        device = self.optimizer.param_groups[0]["params"][0].device
        # One process decides for all: each might time another ratio.
        decided = [resolve(precision, device, width) if is_main_process() else None]
        broadcast_object_list(decided)
        self.precision: str = decided[0]

    @contextmanager
    def optim_context(self, model: nn.Module):
        device = next(model.parameters()).device
        with super().optim_context(model), autocast(device, self.precision):
            yield
