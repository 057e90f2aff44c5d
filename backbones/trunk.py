"""From a `Layout` to timm's VisionTransformer and back."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from timm.layers import PatchEmbed, SwiGLUPacked
from timm.layers.activations import GELU as TimmGELU
from timm.layers.activations import GELUTanh, QuickGELU
from timm.layers.attention import Attention
from timm.layers.attention_pool import AttentionPoolLatent
from timm.layers.mlp import GluMlp, Mlp
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn

from backbones.layout import Layout, mlp_ratio
from backbones.stem import ConvStem
from common.errors import UserError

_ACTIVATIONS = {
    "gelu": nn.GELU,
    "gelu_tanh": partial(nn.GELU, approximate="tanh"),
    "quick_gelu": QuickGELU,
    "swiglu": nn.SiLU,
}


class ResizingViT(VisionTransformer):
    """timm's VisionTransformer with position embeddings resized as another library resizes them.

    `positions` is ``bicubic`` or ``corenet`` (see `backbones.layout.Layout`). CoreNet resizes along the
    flattened index, so that a position of the new grid mixes neighbours within a row of the old one.
    """

    positions = "bicubic"

    def _pos_embed(self, x: Tensor) -> Tensor:
        batch, height, width, channels = x.shape
        prefix = [
            token.expand(batch, -1, -1) for token in (self.cls_token, self.reg_token) if token is not None
        ]
        count = 0 if self.no_embed_class else self.num_prefix_tokens
        own, grid = self.pos_embed[:, :count], self.pos_embed[:, count:]
        if (height, width) != tuple(self.patch_embed.grid_size):
            grid = self._resized(grid, height, width)
        x = x.reshape(batch, height * width, channels)
        if self.no_embed_class:
            x = torch.cat([*prefix, x + grid], dim=1)
        else:
            x = torch.cat([*prefix, x], dim=1) + torch.cat([own, grid], dim=1)
        return self.pos_drop(x)

    def _resized(self, grid: Tensor, height: int, width: int) -> Tensor:
        old, channels = self.patch_embed.grid_size, grid.shape[-1]
        if self.positions == "corenet":
            size = (height * width, channels)
            return F.interpolate(grid[:, None].float(), size, mode="bilinear")[:, 0].to(grid.dtype)
        image = grid.float().reshape(1, *old, channels).permute(0, 3, 1, 2)
        image = F.interpolate(image, (height, width), mode="bicubic", align_corners=False)
        return image.permute(0, 2, 3, 1).reshape(1, height * width, channels).to(grid.dtype)


def build_trunk(layout: Layout, drop_path_rate: float = 0.0, draw: bool = True) -> VisionTransformer:
    """An untrained trunk on torch's default device.

    Args:
        layout: what it computes.
        drop_path_rate: stochastic depth (arXiv 1603.09382), rising linearly to this rate at the last block.
        draw: draw weights from torch's global generator, as timm draws them; else they are left as they come.
    """
    resizing = layout.positions in {"bicubic", "corenet"}
    mlp = {"mlp_layer": SwiGLUPacked} if layout.activation == "swiglu" else {}
    trunk = (ResizingViT if resizing else VisionTransformer)(
        img_size=layout.image_size,
        patch_size=layout.patch_size,
        embed_dim=layout.embed_dim,
        depth=layout.depth,
        num_heads=layout.num_heads,
        mlp_ratio=layout.mlp_ratio,
        qkv_bias=layout.qkv_bias,
        num_classes=0,
        global_pool=layout.pooling,
        class_token=layout.class_token,
        no_embed_class=not layout.embed_class,
        reg_tokens=layout.registers,
        pos_embed="none" if layout.positions == "none" else "learn",
        pre_norm=layout.pre_norm,
        final_norm=layout.norm != "none",
        fc_norm=layout.norm == "after",
        init_values=1.0 if layout.layer_scale else None,
        weight_init="" if draw else "skip",
        dynamic_img_size=True,
        drop_path_rate=drop_path_rate,
        norm_layer=partial(nn.LayerNorm, eps=layout.norm_eps),
        act_layer=_ACTIVATIONS[layout.activation],
        embed_layer=ConvStem if layout.stem == "conv" else PatchEmbed,
        **mlp,
    )
    if resizing:
        trunk.positions = layout.positions
    _set_patch_bias(trunk, layout)
    return trunk


def _set_patch_bias(trunk: VisionTransformer, layout: Layout) -> None:
    """timm ties the bias of the patch projection to `pre_norm`; some sources do not."""
    projection = trunk.patch_embed.conv3 if layout.stem == "conv" else trunk.patch_embed.proj
    if layout.patch_bias and projection.bias is None:
        projection.bias = nn.Parameter(projection.weight.new_zeros(layout.embed_dim))
    elif not layout.patch_bias:
        projection.bias = None


def layout_of(trunk: nn.Module, name: str = "this backbone") -> Layout:
    """The layout of a trunk, whoever built it.

    Raises:
        UserError: the trunk does something that a `Layout` cannot say.
    """
    if type(trunk) not in (VisionTransformer, ResizingViT):
        raise UserError(
            f"{name} is timm's {type(trunk).__name__}, not a plain VisionTransformer: pick another"
        )
    block = trunk.blocks[0]
    problem = _unusual(trunk)
    if problem:
        raise UserError(f"{name} {problem}, which the suite's format cannot say: use it by its own name")
    embedding = trunk.patch_embed
    conv = isinstance(embedding, ConvStem)
    height, width = embedding.img_size
    norms = (not isinstance(trunk.norm, nn.Identity), not isinstance(trunk.fc_norm, nn.Identity))
    positions = getattr(trunk, "positions", "timm") if trunk.pos_embed is not None else "none"
    return Layout(
        embed_dim=trunk.embed_dim,
        depth=len(trunk.blocks),
        num_heads=block.attn.num_heads,
        patch_size=int(embedding.feat_ratio()),
        stem="conv" if conv else "linear",
        image_size=height if height == width else (height, width),
        mlp_ratio=mlp_ratio(block.mlp.fc1.out_features, trunk.embed_dim),
        class_token=trunk.cls_token is not None,
        registers=trunk.num_reg_tokens,
        embed_class=not trunk.no_embed_class,
        pre_norm=not isinstance(trunk.norm_pre, nn.Identity),
        patch_bias=(embedding.conv3 if conv else embedding.proj).bias is not None,
        qkv_bias=block.attn.qkv.bias is not None,
        layer_scale=not isinstance(block.ls1, nn.Identity),
        activation=_activation(block),
        norm_eps=block.norm1.eps,
        pooling=trunk.global_pool,
        norm="before" if norms[0] else "after" if norms[1] else "none",
        positions=positions,
    )


def _unusual(trunk: VisionTransformer) -> str | None:
    block = trunk.blocks[0]
    if type(block) is not Block or type(block.attn) is not Attention:
        return "has blocks of another kind"
    identities = [getattr(block.attn, part, None) for part in ("q_norm", "k_norm", "norm")]
    identities.append(getattr(block.mlp, "norm", None))
    if any(part is not None and not isinstance(part, nn.Identity) for part in identities):
        return "has norms inside attention or MLP"
    if _activation(block) is None or not isinstance(block.norm1, nn.LayerNorm):
        return "has another activation or norm"
    if trunk.global_pool not in {"token", "avg", "map"} or getattr(trunk, "pool_include_prefix", False):
        return f"pools by {trunk.global_pool!r}"
    if trunk.attn_pool is not None and type(trunk.attn_pool) is not AttentionPoolLatent:
        return "has another attention pooling"
    if not isinstance(trunk.norm, nn.Identity) and not isinstance(trunk.fc_norm, nn.Identity):
        return "has two final norms"
    embedding = trunk.patch_embed
    if isinstance(embedding, ConvStem):
        return None
    if type(embedding) is not PatchEmbed or not isinstance(embedding.norm, nn.Identity):
        return "has another patch embedding"
    return None


def _activation(block: Block) -> str | None:
    act = block.mlp.act
    if isinstance(block.mlp, GluMlp):
        return "swiglu" if isinstance(act, nn.SiLU) and not block.mlp.gate_last else None
    if type(block.mlp) is not Mlp:
        return None
    if isinstance(act, QuickGELU):
        return "quick_gelu"
    if isinstance(act, GELUTanh) or (isinstance(act, nn.GELU) and act.approximate == "tanh"):
        return "gelu_tanh"
    return "gelu" if isinstance(act, (nn.GELU, TimmGELU)) else None
