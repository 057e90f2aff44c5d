"""CoreNet's convolutional patch embedding; its numbers are compared in checkpoints/test_corenet.py."""

import pytest
import torch

from backbones.stem import ConvStem


def test_tokens_come_as_a_map_or_flattened():
    image = torch.rand(2, 3, 32, 64)
    torch.manual_seed(0)
    flat = ConvStem(img_size=64, embed_dim=32).eval()
    torch.manual_seed(0)
    as_map = ConvStem(img_size=64, embed_dim=32, output_fmt="NHWC").eval()
    assert as_map(image).shape == (2, 2, 4, 32)
    assert torch.equal(as_map(image).flatten(1, 2), flat(image))
    assert flat.grid_size == (4, 4) and flat.dynamic_feat_size((32, 64)) == (2, 4)


def test_patches_of_another_size_are_refused():
    with pytest.raises(ValueError, match="16 pixels, not 14"):
        ConvStem(patch_size=14)
