"""What is done to pictures, pixel by pixel."""

import io
import pickle

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


def sample(picture, ending):
    file = io.BytesIO()
    picture.save(file, {"jpg": "JPEG"}.get(ending, ending))
    return {ending: file.getvalue()}


def opened(sample):
    (data,) = sample.values()
    return Image.open(io.BytesIO(data)).convert("RGB")


@pytest.mark.parametrize("flip", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("ending", "distance"), [("png", 0), ("jpg", 1)])
def test_a_picture_is_cropped_scaled_and_flipped_as_by_pillow(picture, flip, ending, distance):
    """Pixel by pixel what Pillow makes of the same random numbers; of JPEGs up to rounding."""
    encoded = sample(picture, ending)
    picture = opened(encoded)
    transform = train_transform(32, scale=(0.3, 0.9), flip=flip)
    flipped = 0
    for seed in range(20):
        torch.manual_seed(seed)
        got = transform(encoded)
        torch.manual_seed(seed)
        top, left, height, width = RandomResizedCrop.get_params(picture, [0.3, 0.9], [3 / 4, 4 / 3])
        image = picture.crop((left, top, left + width, top + height)).resize(
            (32, 32), Image.Resampling.BILINEAR
        )
        if torch.rand(1) < flip:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            flipped += 1
        assert got.dtype == torch.uint8
        expected = torch.from_numpy(np.array(image)).permute(2, 0, 1)
        assert (got.int() - expected.int()).abs().max() <= distance
    assert (flipped > 0) == (flip > 0) and (flipped < 20) == (flip < 1)


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_validation_looks_at_the_centre_by_pillow_whatever_is_installed(picture, ending):
    encoded = sample(picture, ending)
    got = eval_transform(30)(encoded)
    expected = opened(encoded).resize((40, 30), Image.Resampling.BILINEAR).crop((5, 0, 35, 30))
    assert torch.equal(got, torch.from_numpy(np.array(expected)).permute(2, 0, 1))


@pytest.mark.parametrize("transform", [train_transform(32), eval_transform(32)])
def test_transforms_reach_workers_that_are_spawned(picture, transform):
    encoded = sample(picture, "jpg")
    images = []
    for copy in (transform, pickle.loads(pickle.dumps(transform))):
        torch.manual_seed(0)
        images.append(copy(encoded))
    assert torch.equal(*images)


@pytest.mark.parametrize("transform", [train_transform(32), eval_transform(32)])
def test_a_sample_without_a_picture_is_refused(transform):
    with pytest.raises(ValueError, match="no picture"):
        transform({"txt": b"a dog"})
