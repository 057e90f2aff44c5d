"""Small models of the source libraries, with weights far enough from zero to tell computations apart."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from backbones import UserError, load_backbone
from backbones.card import Card
from backbones.catalog import backbone_digest
from backbones.checkpoints import run
from backbones.layout import Layout
from backbones.preprocessing import Preprocessing
from backbones.trunk import build_trunk
from backbones.vit import ViT

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


def clip_tokens(visual, images):
    """What open_clip's own image tower computes: pooled features before the projection, and patch tokens."""
    x = visual.transformer(visual._embeds(images))
    pooled, _ = visual._pool(x)
    return pooled, visual.ln_post(x)[:, 1:]


FILES = ("corenet", "openclip", "openai", "superclass", "timm:vit_tiny_patch16_224")
"""What stands before the file in names of sources whose backbones are files."""


def refused(name, match):
    """Loading is refused in one line, which is returned."""
    with pytest.raises(UserError, match=match) as caught:
        load_backbone(name)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600
    return str(caught.value)


def refused_at_once(name, match):
    """It is refused before anything is loaded, in one line."""
    with pytest.raises(UserError, match=match) as caught:
        backbone_digest(name)
    assert "\n" not in str(caught.value)


BASE = Layout(64, 2, 4, stem="linear", image_size=64, embed_class=True)
PREPROCESSING = Preprocessing(64, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), "bicubic")
CLIP = replace(BASE, pre_norm=True, patch_bias=False, norm_eps=1e-5)


def saved(folder, layout, preprocessing=PREPROCESSING):
    """A backbone of this layout with random weights, as a folder of the suite."""
    vit = ViT(randomise(build_trunk(layout)), preprocessing)
    folder.mkdir()
    run.save(folder, vit, Card())
    return f"run:{folder}"
