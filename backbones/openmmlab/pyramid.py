"""Feature pyramids on the single map of a plain ViT."""

from __future__ import annotations

import torch.nn.functional as F
from mmengine.registry import MODELS
from timm.layers import LayerNorm2d
from torch import Tensor, nn

# LayerNorm over the channels of a map, under the name that the configs of OpenMMLab's ViTDet use.
MODELS.register_module(name="LN2d", module=LayerNorm2d)


@MODELS.register_module()
class SimpleFPN(nn.Module):
    """Maps at strides 4, 8, 16, 32 and 64 from one map at stride 16.

    The map is brought to strides 4 (two transposed 2x2 convolutions with LayerNorm and GELU between them), 8
    (one), 16 (itself) and 32 (max-pooled), and each is projected by a 1x1 convolution and LayerNorm. What
    follows is one of two:

    * ``top_down=True``, CatLIP's (arXiv 2404.15653, released code): from stride 16 down, the next coarser map
      is added (nearest neighbour) and a 3x3 convolution with LayerNorm follows. The map at stride 32 is
      handed on as projected; its own 3x3 convolution only feeds the addition, as in the released code.
      Stride 64 is a 3x3 convolution of stride 2 with LayerNorm. The convolutions have biases.
    * ``top_down=False``, ViTDet's (arXiv 2203.16527): a 3x3 convolution with LayerNorm on each; stride 64 is
      every second cell of stride 32.

    Args:
        in_channels: width of the ViT.
        out_channels: channels of every map.
        num_outs: how many maps; stride 32 must be among them.
        top_down: see above.
        start_level: 0 to begin with stride 4, 1 with stride 8, 2 with stride 16.

    Shapes:
        tuple of one map [B, in_channels, H, W] -> tuple of [B, out_channels, 4H, 4W], ..., [.., ~H/4, ~W/4].

    Raises:
        ValueError: in_channels is not divisible by 4, or the maps would not reach from `start_level` to
            stride 32 or 64.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 256,
        num_outs: int = 5,
        top_down: bool = True,
        start_level: int = 0,
    ) -> None:
        super().__init__()
        if in_channels % 4:
            raise ValueError(f"in_channels must be divisible by 4, {in_channels} is not")
        if start_level not in (0, 1, 2) or start_level + num_outs not in (4, 5):
            raise ValueError(
                f"num_outs={num_outs} from start_level={start_level}: the last map is at stride 32 or 64, "
                "the first at 4, 8 or 16"
            )
        self.top_down = top_down
        half, quarter = in_channels // 2, in_channels // 4
        scales = [
            nn.Sequential(
                nn.ConvTranspose2d(in_channels, half, 2, stride=2),
                LayerNorm2d(half),
                nn.GELU(),
                nn.ConvTranspose2d(half, quarter, 2, stride=2),
            ),
            nn.ConvTranspose2d(in_channels, half, 2, stride=2),
            nn.Identity(),
            nn.MaxPool2d(2, ceil_mode=True),
        ]
        widths = (quarter, half, in_channels, in_channels)[start_level:]
        self.scales = nn.ModuleList(scales[start_level:])
        self.laterals = nn.ModuleList(_conv(width, out_channels, 1, bias=top_down) for width in widths)
        self.outputs = nn.ModuleList(_conv(out_channels, out_channels, 3, bias=top_down) for _ in widths)
        self.extra = None
        if num_outs > len(widths):
            coarsest = _conv(out_channels, out_channels, 3, stride=2, bias=True)
            self.extra = coarsest if top_down else nn.MaxPool2d(1, stride=2)
        self.init_weights()

    def init_weights(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_uniform_(module.weight, a=1)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        (features,) = inputs
        maps = [lateral(scale(features)) for scale, lateral in zip(self.scales, self.laterals, strict=True)]
        if self.top_down:
            coarser = self.outputs[-1](maps[-1])
            for level in reversed(range(len(maps) - 1)):
                added = maps[level] + F.interpolate(coarser, size=maps[level].shape[-2:], mode="nearest")
                maps[level] = coarser = self.outputs[level](added)
        else:
            maps = [output(level) for output, level in zip(self.outputs, maps, strict=True)]
        if self.extra is not None:
            maps.append(self.extra(maps[-1]))
        return tuple(maps)


def _conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1, *, bias: bool) -> nn.Sequential:
    """A convolution and LayerNorm."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=bias),
        LayerNorm2d(out_channels),
    )
