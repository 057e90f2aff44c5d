"""Small models of the source libraries, with weights far enough from zero to tell computations apart."""

from __future__ import annotations

import torch
from torch import nn

VISION = {"image_size": 64, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16}
TEXT = {"context_length": 8, "vocab_size": 50, "width": 32, "heads": 2, "layers": 1}


def randomise(model: nn.Module, seed: int = 0) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            spread = parameter[0].numel() ** -0.5 if parameter.ndim > 1 and "embed" not in name else 0.2
            parameter.copy_(noise * spread + (1.0 if parameter.ndim == 1 and "weight" in name else 0.0))
    return model.eval()


def open_clip_model(image_size=64, quick_gelu=False, **vision):
    from open_clip.model import CLIP

    vision = {**VISION, "image_size": image_size, **vision}
    return randomise(CLIP(32, vision, TEXT, quick_gelu=quick_gelu))


def timm_model(**changes):
    from timm.models.vision_transformer import VisionTransformer

    shape = {"img_size": 64, "patch_size": 16, "embed_dim": 64, "depth": 2, "num_heads": 4, "num_classes": 5}
    return randomise(VisionTransformer(**{**shape, "dynamic_img_size": True, **changes}))


def image(height=64, width=64):
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(height + width))


def same(tokens, class_token, patches):
    """class_token [B, D] and patches [B, N, D] of the source, to 1e-4."""
    torch.testing.assert_close(tokens.class_token, class_token, atol=1e-4, rtol=0)
    torch.testing.assert_close(tokens.patches.flatten(2).mT, patches, atol=1e-4, rtol=0)
