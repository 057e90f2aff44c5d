"""Mixed precision on whatever device there is."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn


def bf16_is_fast(device: str | torch.device) -> bool:
    """Whether the device multiplies bfloat16 matrices in hardware (AMX or AVX512-BF16, Ampere or later)."""
    if torch.device(device).type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def autocast(device: str | torch.device, precision: str) -> torch.autocast:
    """The autocast context for a precision.

    Args:
        device: where the computation runs.
        precision: ``float32``, ``bf16``, or ``auto`` (bf16 where it is fast).

    Raises:
        ValueError: another precision.
    """
    if precision not in {"auto", "float32", "bf16"}:
        raise ValueError(f"precision is auto, float32 or bf16, not {precision!r}")
    enabled = precision == "bf16" or (precision == "auto" and bf16_is_fast(device))
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16, enabled=enabled)


@OPTIM_WRAPPERS.register_module()
class Bf16OptimWrapper(OptimWrapper):
    """MMEngine's OptimWrapper under bfloat16 autocast, on CPU as well as GPU.

    MMEngine's own `AmpOptimWrapper` refuses to run without a GPU. bfloat16 has float32's range, so no loss
    scaling is needed.

    Args:
        precision: ``float32``, ``bf16``, or ``auto`` (bf16 where the device is fast at it).
        **kwargs: of `mmengine.optim.OptimWrapper`.
    """

    def __init__(self, precision: str = "auto", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.precision = precision

    @contextmanager
    def optim_context(self, model: nn.Module):
        device = next(model.parameters()).device
        with super().optim_context(model), autocast(device, self.precision):
            yield
