"""Frozen features: how pictures reach a backbone, and what comes back."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from image_data import MeanColour, draw_images
from PIL import Image

from backbones.vit import Preprocessing
from benchmark.data.image_folder import read_split
from benchmark.features.extract import LAST_BLOCKS, batches, calibrate, extract
from common.errors import UserError


def quiet(*arguments, **more):
    """A report nobody reads."""


@pytest.fixture(autouse=True)
def small_models(one_thread):
    """All models here are small."""


KINDS = ("class_token", "patch_mean")


def test_features_come_in_the_order_of_the_images(tmp_path):
    images = read_split(draw_images(tmp_path), "train")
    told = []
    found = extract(MeanColour(), images, KINDS, told.append, batch_size=5)
    assert list(found) == list(KINDS)
    for features in found.values():
        assert features.shape == (18, 3) and features.dtype == torch.float32
        assert features.argmax(1).tolist() == [2] * 6 + [1] * 6 + [0] * 6  # blue, green, red
    assert told == [5, 10, 15, 18]
    again = extract(MeanColour(), images, KINDS, quiet, batch_size=7, workers=1)
    assert all(torch.equal(again[kind], found[kind]) for kind in KINDS)


def test_the_last_blocks_are_class_tokens_behind_the_final_norm(tmp_path):
    from backbones import load_backbone

    images = read_split(draw_images(tmp_path), "test")
    vit = load_backbone("random:vit_nano_conv16").eval()
    found = extract(vit, images, ("class_token", "last_blocks"), quiet, batch_size=9, workers=0)
    depth = min(LAST_BLOCKS, vit.depth)
    assert found["last_blocks"].shape == (24, depth * vit.embed_dim)
    torch.testing.assert_close(found["last_blocks"][:, -vit.embed_dim :], found["class_token"])
    pixels = torch.cat([pixels for pixels, _ in batches(images, vit.preprocessing, 24, 0)])
    with torch.no_grad():
        inner = vit.trunk.forward_intermediates(
            pixels, indices=depth, norm=True, return_prefix_tokens=True, intermediates_only=True
        )
    expected = torch.cat([prefix[:, 0] for _, prefix in inner], dim=1)
    torch.testing.assert_close(found["last_blocks"], expected, atol=1e-5, rtol=1e-5)
    assert not any(block._forward_hooks for block in vit.trunk.blocks)


def test_a_feature_that_is_no_number_names_the_image(tmp_path):
    class Broken(MeanColour):
        def forward(self, images):
            tokens = super().forward(images)
            tokens.class_token[3] = float("inf")
            return tokens

    images = read_split(draw_images(tmp_path), "train")
    with pytest.raises(FloatingPointError, match=r"train/blue/3\.png are not finite"):
        extract(Broken(), images, ("class_token",), quiet, workers=0)


def test_random_stems_are_calibrated_on_training_images(tmp_path, monkeypatch):
    from backbones import load_backbone

    draw_images(tmp_path)
    vit = load_backbone("random:vit_nano_conv16")
    train = read_split(tmp_path, "train")
    for split in ("val", "test"):  # nothing else is read
        shutil.rmtree(tmp_path / split)
    monkeypatch.setattr("benchmark.features.extract.CALIBRATION_IMAGES", 4)
    calibrate(vit, train, 0, "cpu")
    some = train.subset(np.array([0, 6, 11, 17]))  # evenly over the classes
    pixels = torch.cat([pixels for pixels, _ in batches(some, vit.preprocessing, 4, 0)])
    embed = vit.trunk.patch_embed
    with torch.no_grad():
        torch.testing.assert_close(embed.norm1.running_mean, embed.conv1(pixels).mean((0, 2, 3)))


def test_calibration_sees_how_classes_differ(tmp_path, monkeypatch):
    """Images come class by class: in batches of neighbours the variance between classes would be lost."""
    from backbones import load_backbone

    draw_images(tmp_path, (("train", 12),))
    vit = load_backbone("random:vit_nano_conv16")
    train = read_split(tmp_path, "train")
    monkeypatch.setattr("benchmark.features.extract.CALIBRATION_BATCH", 12)
    calibrate(vit, train, 0, "cpu")
    pixels = torch.cat([pixels for pixels, _ in batches(train, vit.preprocessing, 36, 0)])
    embed = vit.trunk.patch_embed
    with torch.no_grad():
        whole = embed.conv1(pixels).var((0, 2, 3))
    assert ((embed.norm1.running_var / whole - 1).abs() < 0.25).all()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_corrupt_image_is_named(tmp_path, workers):
    root = draw_images(tmp_path)
    path = root / "test" / "green" / "3.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(
        UserError, match=r"green/3\.png is no readable image .*replace or remove it"
    ) as caught:
        list(batches(read_split(root, "test"), MeanColour.preprocessing, 4, workers))
    assert "\n" not in str(caught.value)


def test_images_are_resized_cropped_and_normalised(tmp_path):
    folder = tmp_path / "train" / "a"
    folder.mkdir(parents=True)
    (tmp_path / "train" / "b").mkdir()
    wide = np.zeros((40, 80, 3), np.uint8)
    wide[:, 20:60] = 255  # the centre square is white
    Image.fromarray(wide).save(folder / "wide.png")
    Image.new("L", (10, 10), 128).save(tmp_path / "train" / "b" / "grey.png")
    (folder / ".hidden.png").write_text("no image")
    (folder / "notes.txt").write_text("no image")
    preprocessing = Preprocessing(size=8, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), interpolation="bicubic")
    pixels, indices = next(batches(read_split(tmp_path, "train"), preprocessing, 4, 0))
    assert pixels.shape == (2, 3, 8, 8) and indices.tolist() == [0, 1]
    assert pixels[0, :, :, 1:-1].min() > 0.9 and pixels[1].abs().max() < 0.01
    squashed = replace(preprocessing, resize_mode="squash")
    pixels, _ = next(batches(read_split(tmp_path, "train"), squashed, 4, 0))
    assert (
        pixels[0, :, :, 3:5].min() > 0.9 and pixels[0, :, :, [0, -1]].max() < -0.9
    )  # the black sides are in
