"""Image folders: what is read, and what is wrong with one, in one line."""

import shutil

import numpy as np
import pytest
from image_data import draw_images
from PIL import Image

from benchmark.data.image_folder import read_split
from benchmark.data.images import read_image
from benchmark.data.labelled import LabelledImages
from benchmark.data.subsets import hold_out
from common.errors import UserError


@pytest.fixture
def root(tmp_path):
    return draw_images(tmp_path / "images")


def message(path):
    with pytest.raises(UserError) as caught:
        LabelledImages().check(path)
    text = str(caught.value)
    assert "\n" not in text and str(path) in text
    return text


def test_a_split_is_read_class_by_class(root):
    (root / "train" / "blue" / "notes.txt").write_text("no image")
    (root / "train" / "blue" / ".hidden.png").write_text("no image")
    train = read_split(root, "train")
    assert train.classes == ["blue", "green", "red"] and len(train) == 18
    assert train.paths[0] == "train/blue/0.png" and train.labels.tolist() == [0] * 6 + [1] * 6 + [2] * 6
    shutil.rmtree(root / "val" / "green")
    val = read_split(root, "val", train.classes)
    assert val.classes == train.classes and val.labels.tolist() == [0] * 4 + [2] * 4
    some = val.subset(np.array([0, 7]))
    assert some.paths == ["val/blue/0.png", "val/red/3.png"] and some.labels.tolist() == [0, 2]


def test_what_a_split_lacks_is_named(root):
    with pytest.raises(UserError, match=r"holdout does not exist"):
        read_split(root, "holdout")
    (root / "test" / "red").rename(root / "test" / "rde")
    with pytest.raises(UserError, match=r"test/rde: class 'rde' has no training images"):
        read_split(root, "test", ["blue", "green", "red"])
    (root / "train" / "empty").mkdir()
    with pytest.raises(UserError, match=r"train/empty holds no images"):
        read_split(root, "train")
    (root / "flat").mkdir()
    Image.new("RGB", (8, 8)).save(root / "flat" / "a.png")
    with pytest.raises(UserError, match="has no class folders"):
        read_split(root, "flat")
    (root / "flat" / "alone").mkdir()
    (root / "flat" / "a.png").rename(root / "flat" / "alone" / "a.png")
    with pytest.raises(UserError, match="one class only"):
        read_split(root, "flat")


def test_validation_can_be_held_out_of_training_and_depends_on_the_seed(tmp_path):
    images = read_split(draw_images(tmp_path, (("train", 10),)), "train")
    kept, held = hold_out(images, 0.2, seed=0)
    assert not set(kept.paths) & set(held.paths) and len(kept) == 24 and len(held) == 6
    assert np.bincount(held.labels).tolist() == [2, 2, 2]
    assert hold_out(images, 0.2, seed=0)[1].paths == held.paths != hold_out(images, 0.2, seed=1)[1].paths
    assert np.bincount(hold_out(images, 0.001, seed=0)[1].labels).tolist() == [1, 1, 1]


def test_a_class_of_one_image_cannot_be_held_out_of(tmp_path):
    images = read_split(draw_images(tmp_path, (("train", 1),)), "train")
    with pytest.raises(UserError, match="'blue' has one training image only"):
        hold_out(images, 0.2, seed=0)


def test_a_picture_is_rgb_or_an_error_that_names_it(root):
    Image.new("L", (4, 3), 9).save(root / "grey.png")
    assert read_image(root / "grey.png").getpixel((0, 0)) == (9, 9, 9)
    (root / "broken.png").write_bytes((root / "grey.png").read_bytes()[:40])
    with pytest.raises(UserError, match=r"broken\.png is no readable image .*replace or remove it"):
        read_image(root / "broken.png")


def test_sound_data_are_summed_up(root):
    report = LabelledImages().check(root)
    assert report.summary == (
        f"{root}: image folder, 3 classes, images: train 18, val 12, test 24 (54 opened)"
    )
    assert report.warnings == ()


def test_only_some_pictures_are_opened(root, monkeypatch):
    monkeypatch.setattr("benchmark.data.labelled.OPENED", 5)
    for place, looked_at in (
        ("green/0.png", False),
        ("blue/0.png", True),
    ):  # the seventh of eighteen; the first
        file = root / "train" / place
        file.write_bytes(file.read_bytes()[:-60])  # its header is whole
        if looked_at:
            assert f"{place} is no readable image" in message(root)
        else:
            assert "(15 opened)" in LabelledImages().check(root).summary
            with pytest.raises(UserError, match=f"{place} is no readable image"):
                LabelledImages().check(root, thorough=True)


def test_what_is_wrong_is_named(root, tmp_path):
    assert "does not exist" in message(tmp_path / "nowhere")
    assert f"did you mean {root}?" in message(root.parent)
    (root / "test" / "green" / "0.png").write_text("no image")
    assert "green/0.png is no readable image" in message(root)
    (root / "test" / "red").rename(root / "test" / "rde")
    assert "class 'rde' has no training images" in message(root)
    for split in ("val", "test"):
        shutil.rmtree(root / split)
    assert "has no val/ and no test/" in message(root)
    shutil.rmtree(root / "train")
    assert "has no class folders: sort its images into <split>/<class name>/" in message(root)


def test_odd_but_usable_data_are_a_warning(root):
    shutil.rmtree(root / "val" / "green")
    report = LabelledImages().check(root)
    assert report.warnings == ("val shows nothing of 1 of 3 classes, for instance green",)


def test_imagenet_is_known_by_its_classes(tmp_path):
    for split in ("train", "val"):
        for number in range(1000):
            folder = tmp_path / split / f"n{number:08}"
            folder.mkdir(parents=True)
            Image.new("RGB", (1, 1)).save(folder / "a.png")
    assert LabelledImages().check(tmp_path).warnings == (
        "train has 1000 images, ImageNet-1k has 1281167",
        "val has 1000 images, ImageNet-1k has 50000",
    )
