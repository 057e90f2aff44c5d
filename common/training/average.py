"""The moving average of a training's weights."""

from __future__ import annotations

from typing import Any

from mmengine.model import ExponentialMovingAverage
from mmengine.registry import MODELS
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


@MODELS.register_module()
class FusedMovingAverage(ExponentialMovingAverage):
    """MMEngine's `ExponentialMovingAverage`, all parameters at once.

    A kernel for each parameter, with Python between them, is time that a GPU waits in at every step. Buffers
    are the model's own.

    Args:
        *args, **kwargs: of `mmengine.model.ExponentialMovingAverage`; ``update_buffers`` is not known here.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.update_buffers:
            raise ValueError("buffers are not averaged: take ExponentialMovingAverage for that")
        self._average = get_ema_multi_avg_fn(1 - self.momentum)

    def update_parameters(self, model: nn.Module) -> None:
        if self.steps == 0 or self.steps % self.interval:
            super().update_parameters(model)
            return
        parameters = dict(model.named_parameters())
        self._average(
            list(self.avg_parameters.values()), [parameters[name] for name in self.avg_parameters], None
        )
        for average, buffer in zip(self.module.buffers(), model.buffers(), strict=True):
            average.copy_(buffer)
        self.steps += 1
