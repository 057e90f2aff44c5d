"""Maps of tokens at other strides, without parameters."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def resample(patches: Tensor, output_stride: int, stride: int) -> Tensor:
    """Bring a map of tokens to another stride.

    Bilinear at strides that divide the tokens' own, max-pooled at its multiples. At other strides (4 and 32
    where tokens lie 14 pixels apart) it is resized bilinearly, antialiased where the result is coarser; the
    centre of a cell is where its stride says, whatever the size was rounded to.

    Args:
        patches: [B, D, h, w], one token of every `output_stride` pixels.
        output_stride: pixels per token.
        stride: pixels per cell of the result.

    Returns:
        [B, D, h * output_stride / stride, w * output_stride / stride], sizes rounded up.
    """
    if stride == output_stride:
        # Convolutions want the usual memory format; a view of the tokens would be copied by each.
        return patches.contiguous()
    if stride % output_stride == 0:
        return F.max_pool2d(patches, stride // output_stride, ceil_mode=True)
    if output_stride % stride == 0:
        return F.interpolate(
            patches, scale_factor=output_stride // stride, mode="bilinear", align_corners=False
        )
    rows, columns = (_bilinear(side, output_stride, stride).to(patches) for side in patches.shape[-2:])
    return rows @ patches @ columns.T


def _bilinear(count: int, output_stride: int, stride: int) -> Tensor:
    """Weights [cells, count] that resize a row of tokens to cells of `stride` pixels.

    `F.interpolate` is given a size or a scale; here the scale is exact and the size is rounded up.
    """
    centres = (torch.arange(-(-count * output_stride // stride)) + 0.5) * stride / output_stride - 0.5
    distance = (centres[:, None] - torch.arange(count)).abs() / max(1.0, stride / output_stride)
    weights = (1 - distance).clamp(min=0)
    return weights / weights.sum(1, keepdim=True)
