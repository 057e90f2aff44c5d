"""CLIP's loss against OpenCLIP's own model, and its size and temperature against the paper's."""

import math

import open_clip
import pytest
import torch
import torch.nn.functional as F

from backbones.vit import Tokens
from pretraining.objectives.base import ImageTextBatch
from pretraining.objectives.clip import CLIP


def tokens_of(class_token):
    return Tokens(class_token, class_token[:, :, None, None])


def test_clip_equals_open_clips_own_model():
    torch.manual_seed(0)
    reference = open_clip.model.CLIP(
        embed_dim=16,
        vision_cfg={"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
        text_cfg={"context_length": 12, "width": 32, "heads": 2, "layers": 2},
    )
    objective = CLIP(64, embed_dim=16, text_width=32, text_layers=2, text_heads=2, context_length=12)
    names = ("token_embedding", "positional_embedding", "transformer", "ln_final", "text_projection")
    text = {k: v for k, v in reference.state_dict().items() if k.startswith(names)}
    missing = objective.text.load_state_dict(text, strict=False)
    assert missing.unexpected_keys == [] and missing.missing_keys == []
    with torch.no_grad():
        objective.logit_scale.copy_(reference.logit_scale)
    captions = ["a dog", "two cats on the grass", "sand"]
    words = open_clip.tokenizer.SimpleTokenizer(context_length=12)(captions)
    features = torch.randn(3, 64)
    expected = open_clip.loss.ClipLoss()(
        F.normalize(features @ objective.image_projection, dim=-1),
        reference.encode_text(words, normalize=True),
        reference.logit_scale.exp(),
    )
    batch = ImageTextBatch(torch.empty(3), captions, text=words)
    torch.testing.assert_close(objective(tokens_of(features), batch)["loss"], expected)


def test_clip_has_the_papers_size():
    # 149,776,647 parameters at B/16, of which the image tower has 85,955,334 with six scalars of augmentation
    objective = CLIP(768)
    assert sum(p.numel() for p in objective.parameters()) == 149_776_647 - 85_955_334


def test_clip_temperature_is_capped():
    objective = CLIP(8, embed_dim=4, text_width=8, text_layers=1, text_heads=1, context_length=4)
    with torch.no_grad():
        objective.logit_scale.fill_(10.0)
    batch = ImageTextBatch(torch.empty(2), ["", ""], text=torch.ones(2, 4, dtype=torch.long))
    assert objective(tokens_of(torch.randn(2, 8)), batch)["temperature"].item() == pytest.approx(0.01)
    assert math.exp(-CLIP(8, 4, 8, 1, 1, 4).logit_scale.item()) == pytest.approx(0.07)
