"""BatchNorm whose statistics are of the whole batch, however many processes share it."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class SynchronizedBatchNorm(_BatchNorm):
    """What `torch.nn.SyncBatchNorm` does on GPUs, on any device. Parameters and state are BatchNorm's."""

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"BatchNorm needs [N, C, ...], not {list(input.shape)}")

    def forward(self, input: Tensor) -> Tensor:
        """[N, C, ...] -> the same shape, normalised per channel over the batches of all processes."""
        if not self.training or not dist.is_initialized() or dist.get_world_size() == 1:
            return super().forward(input)
        self._check_input_dim(input)
        across = [0, *range(2, input.ndim)]
        shape = [1, -1] + [1] * (input.ndim - 2)
        here = input.new_tensor([input.numel() // input.shape[1]], dtype=torch.float32)
        *sums, count = _Sum.apply(torch.cat([input.float().sum(across), here])).split(input.shape[1])
        mean = sums[0] / count
        centred = input - mean.view(shape)
        variance = _Sum.apply(centred.float().square().sum(across)) / count
        if self.track_running_stats:
            self._follow(mean.detach(), variance.detach(), count)
        scale = (variance + self.eps).rsqrt()
        output = centred * scale.view(shape)
        if self.affine:
            output = output * self.weight.view(shape) + self.bias.view(shape)
        return output.to(input.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """Take the batch's statistics, over `count` values per channel, into the running ones."""
        self.num_batches_tracked.add_(1)
        weight = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, weight)
        self.running_var.lerp_(variance * (count / (count - 1).clamp(min=1)), weight)


class _Sum(torch.autograd.Function):
    """The sum of a tensor over all processes; so is that of its gradient."""

    @staticmethod
    def forward(context, value: Tensor) -> Tensor:
        value = value.clone()
        dist.all_reduce(value)
        return value

    @staticmethod
    def backward(context, gradient: Tensor) -> Tensor:
        gradient = gradient.clone()
        dist.all_reduce(gradient)
        return gradient


def synchronize_batchnorm(model: nn.Module) -> nn.Module:
    """`model` with the statistics of every BatchNorm in it shared by all processes; it is changed in place.

    The modules stay the objects they are, because backbones keep lists of them.
    """
    gpu = torch.cuda.is_available()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d | nn.SyncBatchNorm):
            module.__class__ = nn.SyncBatchNorm if gpu else SynchronizedBatchNorm
            module.process_group = None
    return model
