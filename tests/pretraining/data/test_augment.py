"""What is done to pictures, pixel by pixel."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import RandomResizedCrop

from pretraining.data.augment import eval_transform, train_transform


@pytest.fixture
def picture():
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (60, 80, 3), dtype=np.uint8))


@pytest.mark.parametrize("flip", [0.0, 0.5, 1.0])
def test_a_picture_is_cropped_scaled_and_flipped_by_pillow(picture, flip):
    """Pixel by pixel what Pillow makes of the same random numbers, so that no recipe sees other images."""
    transform = train_transform(32, scale=(0.3, 0.9), flip=flip)
    flipped = 0
    for seed in range(20):
        torch.manual_seed(seed)
        got = transform(picture)
        torch.manual_seed(seed)
        top, left, height, width = RandomResizedCrop.get_params(picture, [0.3, 0.9], [3 / 4, 4 / 3])
        image = picture.crop((left, top, left + width, top + height)).resize(
            (32, 32), Image.Resampling.BILINEAR
        )
        if torch.rand(1) < flip:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            flipped += 1
        assert got.dtype == torch.uint8
        assert torch.equal(got, torch.from_numpy(np.array(image)).permute(2, 0, 1))
    assert (flipped > 0) == (flip > 0) and (flipped < 20) == (flip < 1)


def test_validation_looks_at_the_centre(picture):
    got = eval_transform(30)(picture)
    expected = picture.resize((40, 30), Image.Resampling.BILINEAR).crop((5, 0, 35, 30))
    assert torch.equal(got, torch.from_numpy(np.array(expected)).permute(2, 0, 1))
