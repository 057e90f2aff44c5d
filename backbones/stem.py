"""CoreNet's convolutional patch embedding, in the form timm's VisionTransformer expects."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ConvStem(nn.Module):
    """Three convolutions that turn 16x16 pixels into one token (CoreNet's ViT; shared by CLIP and CatLIP).

    4x4 stride 4 (padding 1), BatchNorm, GELU; 2x2 stride 2, BatchNorm, GELU; 2x2 stride 2 with bias. The two
    hidden layers have a quarter of the tokens' width. The parameters follow timm's `embed_layer` protocol.

    Args:
        img_size: pixels per side the grid of position embeddings is made for.
        patch_size: must be 16.
        in_chans: channels of the image.
        embed_dim: width of the tokens.
        output_fmt: ``NHWC`` when the caller resizes position embeddings itself, else tokens come flattened.

    Shapes:
        input [B, in_chans, H, W], H and W multiples of 16 -> [B, H/16, W/16, embed_dim] (``NHWC``) or
        [B, H/16 * W/16, embed_dim].
    """

    def __init__(
        self,
        img_size: int | tuple[int, int] = 224,
        patch_size: int = 16,
        in_chans: int = 3,
        embed_dim: int = 768,
        bias: bool = True,
        output_fmt: str | None = None,
        strict_img_size: bool = True,
        dynamic_img_pad: bool = False,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if patch_size not in (16, (16, 16)):
            raise ValueError(f"ConvStem makes patches of 16 pixels, not {patch_size}")
        height, width = (img_size, img_size) if isinstance(img_size, int) else img_size
        self.img_size = (height, width)
        self.patch_size = (16, 16)
        self.grid_size = (height // 16, width // 16)
        self.num_patches = self.grid_size[0] * self.grid_size[1]
        self.output_fmt = output_fmt
        factory = {"device": device, "dtype": dtype}
        hidden = embed_dim // 4
        self.conv1 = nn.Conv2d(in_chans, hidden, 4, stride=4, padding=1, bias=False, **factory)
        self.norm1 = nn.BatchNorm2d(hidden, **factory)
        self.conv2 = nn.Conv2d(hidden, hidden, 2, stride=2, bias=False, **factory)
        self.norm2 = nn.BatchNorm2d(hidden, **factory)
        self.conv3 = nn.Conv2d(hidden, embed_dim, 2, stride=2, bias=bias, **factory)
        self.act = nn.GELU()

    def feat_ratio(self, as_scalar: bool = True) -> int | tuple[int, int]:
        return 16 if as_scalar else (16, 16)

    def dynamic_feat_size(self, img_size: tuple[int, int]) -> tuple[int, int]:
        return img_size[0] // 16, img_size[1] // 16

    def forward(self, images: Tensor) -> Tensor:
        x = self.act(self.norm1(self.conv1(images)))
        x = self.act(self.norm2(self.conv2(x)))
        x = self.conv3(x)
        return x.permute(0, 2, 3, 1) if self.output_fmt == "NHWC" else x.flatten(2).transpose(1, 2)
