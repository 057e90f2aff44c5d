"""The fast decoder beside Pillow: the same crops, nearly the same pixels, the same refusals."""

import io
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from pretraining.data import decoding
from pretraining.data.augment import train_transform
from pretraining.data.batches import BatchMaker
from pretraining.data.shards import decode_image

needs_simplejpeg = pytest.mark.skipif(decoding.simplejpeg is None, reason="simplejpeg is not installed")


def draw(height, width, seed=0):
    """A picture that is smooth for the most part, as photographs are, with edges and fine texture."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    picture = np.empty((height, width, 3))
    for colour in range(3):
        a, b, c = rng.uniform(0.5, 3, 3)
        picture[..., colour] = 128 + 60 * np.sin(a * x / width * 6 + c) * np.cos(b * y / height * 6)
    for _ in range(6):
        centre_y, centre_x = rng.uniform(0, height), rng.uniform(0, width)
        inside = (y - centre_y) ** 2 + (x - centre_x) ** 2 < (
            min(height, width) * rng.uniform(0.05, 0.2)
        ) ** 2
        picture[inside] = rng.uniform(0, 255, 3)
    picture += rng.normal(0, 4, picture.shape)
    return Image.fromarray(picture.clip(0, 255).astype(np.uint8))


def jpeg(picture, **settings):
    file = io.BytesIO()
    picture.save(file, "JPEG", **{"quality": 85, **settings})
    return file.getvalue()


def by_pillow(data, size, scale, seed):
    """What training looked at before there was a faster decoder."""
    old = transforms.Compose(
        [
            transforms.RandomResizedCrop(size, scale),
            transforms.RandomHorizontalFlip(0.5),
            transforms.PILToTensor(),
        ]
    )
    torch.manual_seed(seed)
    return old(decode_image({"jpg": data}))


def distances(data, size, scale=(0.5, 1.0), seeds=8):
    """Mean and greatest difference per value, of 255, between training's images and Pillow's."""
    transform = train_transform(size, scale)
    differences = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        got = transform({"jpg": data})
        assert got.dtype == torch.uint8 and got.shape == (3, size, size)
        differences.append((got.int() - by_pillow(data, size, scale, seed).int()).abs().float())
    return torch.stack(differences).mean().item(), torch.stack(differences).max().item()


@pytest.fixture
def fractions(monkeypatch):
    """Counts at which fraction of their height pictures are decoded by simplejpeg."""
    if decoding.simplejpeg is None:
        pytest.skip("simplejpeg is not installed")
    counts, decode = Counter(), decoding.simplejpeg.decode_jpeg

    def counting(data, **settings):
        pixels = decode(data, **settings)
        counts[round(8 * len(pixels) / decoding.jpeg_shape(data)[0]) / 8] += 1
        return pixels

    monkeypatch.setattr(decoding.simplejpeg, "decode_jpeg", counting)
    return counts


@pytest.mark.parametrize(("height", "width"), [(75, 100), (131, 97), (30, 40), (17, 200), (1, 1)])
@pytest.mark.parametrize(
    "settings",
    [{}, {"subsampling": 0}, {"progressive": True}, {"keep_rgb": True}, {"restart_marker_rows": 1}],
    ids=lambda settings: "-".join(settings) or "plain",
)
def test_at_full_size_pixels_are_pillows_up_to_rounding(fractions, height, width, settings):
    mean, most = distances(jpeg(draw(height, width), **settings), 64)
    assert most <= 1 and mean < 0.1
    assert fractions == {1: 8}


@pytest.mark.parametrize(("size", "fraction"), [(48, 0.5), (24, 0.25), (12, 0.125)])
@pytest.mark.parametrize(("height", "width"), [(160, 160), (157, 163)])
def test_large_crops_are_decoded_at_a_fraction_and_look_the_same(fractions, height, width, size, fraction):
    mean, _ = distances(jpeg(draw(height, width)), size, scale=(0.7, 1.0))
    assert mean < 6  # as sharp a picture as this one; photographs differ by about 1.5
    assert fractions == {fraction: 8}


@needs_simplejpeg
def test_a_crop_at_a_fraction_lies_where_pillows_does():
    """On a slope of one grey level per pixel, where a shift shows."""
    y, x = np.mgrid[:256, :256]
    data = jpeg(Image.fromarray(np.stack([x, y, x], axis=-1).astype(np.uint8)), quality=100, subsampling=0)
    mean, most = distances(data, 64, scale=(0.3, 1.0), seeds=30)
    assert mean < 1 and most <= 4


@needs_simplejpeg
def test_grey_pictures_are_grey():
    data = jpeg(draw(90, 120).convert("L"))
    assert decoding.jpeg_shape(data) == (90, 120)
    assert distances(data, 64)[1] <= 1


@pytest.mark.parametrize("mode", ["CMYK", "png"])
def test_what_libjpeg_cannot_turn_into_rgb_is_pillows(mode):
    picture = draw(90, 120)
    data = jpeg(picture.convert("CMYK"))
    if mode == "png":
        file = io.BytesIO()
        picture.save(file, "PNG")
        data = file.getvalue()
    assert decoding.jpeg_shape(data) is None
    assert distances(data, 64) == (0, 0)


def test_the_orientation_in_the_metadata_is_left_alone_by_both():
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    data = jpeg(draw(60, 90), exif=exif)
    assert distances(data, 32)[1] <= 1


def test_without_simplejpeg_pillow_does_all(monkeypatch):
    monkeypatch.setattr(decoding, "simplejpeg", None)
    assert distances(jpeg(draw(160, 160)), 32) == (0, 0)


def test_the_same_seed_gives_the_same_pixels():
    transform, data = train_transform(32), jpeg(draw(160, 160))
    images = []
    for _ in range(2):
        torch.manual_seed(3)
        images.append(transform({"jpg": data}))
    assert torch.equal(*images)


def outcome(action):
    try:
        return action()
    except (ValueError, OSError, SyntaxError) as error:
        return type(error), str(error)


@pytest.mark.parametrize("fault", ["cut", "altered"])
@pytest.mark.filterwarnings("ignore")  # Pillow's, of altered metadata
def test_broken_jpegs_are_taken_and_refused_as_by_pillow(fault):
    """What Pillow can still read is trained on, with Pillow's pixels; what it cannot has its error."""
    whole, rng = jpeg(draw(50, 70)), np.random.default_rng(0)
    transform = train_transform(32)
    refused = 0
    for _ in range(60):
        broken = bytearray(whole)
        if fault == "cut":
            del broken[rng.integers(len(whole)) :]
        else:
            for place in rng.integers(len(whole), size=3):
                broken[place] = rng.integers(256)
        torch.manual_seed(0)
        got = outcome(lambda data=bytes(broken): transform({"jpg": data}))
        expected = outcome(lambda data=bytes(broken): by_pillow(data, 32, (0.5, 1.0), 0))
        if isinstance(expected, tuple):
            assert isinstance(got, tuple) and got[0] is expected[0]
            refused += 1
        else:
            assert (got.int() - expected.int()).abs().max() <= 1
    assert refused > 5


def test_a_broken_jpeg_is_one_of_what_the_stream_counts_and_replaces():
    data, read = jpeg(draw(50, 70)), BatchMaker(train_transform(32)).read
    assert read(0, {"__key__": "whole", "txt": b"whole", "jpg": data})[1] == "whole"
    for broken in (data[: len(data) // 2], b"no picture"):
        with pytest.raises(ValueError):
            read(0, {"__key__": "broken", "txt": b"broken", "jpg": broken})


def test_pictures_above_pillows_limit_are_refused_before_they_are_decoded(monkeypatch, fractions):
    data, transform = jpeg(draw(100, 100)), train_transform(32)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4000)
    with pytest.raises(ValueError, match="could be decompression bomb"):
        transform({"jpg": data})
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 9999)
    with pytest.warns(Image.DecompressionBombWarning):
        transform({"jpg": data})
    assert not fractions
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    transform({"jpg": data})
    assert fractions.total() == 1
