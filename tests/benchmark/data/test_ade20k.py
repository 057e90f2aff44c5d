"""What is wrong with data in ADE20K's layout is said in one line, before any training."""

import numpy as np
import pytest
from dense_data import write_ade20k
from PIL import Image

from benchmark.data.ade20k import Ade20k, class_kinds, class_names, image_suffix, require_folder
from common.errors import UserError

SPLITS = {"training": 3, "validation": 2, "test": 2}


@pytest.fixture
def ade20k(tmp_path):
    return write_ade20k(tmp_path / "ade", SPLITS, 32)


def message(path):
    with pytest.raises(UserError) as caught:
        Ade20k().check(path)
    text = str(caught.value)
    assert "\n" not in text and str(path) in text
    return text


def test_sound_data_are_summed_up(ade20k):
    report = Ade20k().check(ade20k)
    assert "3 classes" in report.summary and "training 3" in report.summary and report.warnings == ()


def test_other_counts_than_the_real_sets_are_only_a_warning(tmp_path):
    root = write_ade20k(tmp_path / "ade", {"training": 2, "validation": 1}, 32, classes=None)
    report = Ade20k().check(root)
    assert "150 classes" in report.summary and "20210" in report.warnings[0]


def test_the_wrong_ade20k_is_recognised(ade20k, tmp_path):
    full = tmp_path / "ADE20K_2021_17_01"
    (full / "images" / "ADE" / "training").mkdir(parents=True)
    assert "ADEChallengeData2016.zip" in message(full)
    outer = tmp_path / "outer"
    outer.mkdir()
    ade20k.rename(outer / "ADEChallengeData2016")
    assert f"did you mean {outer / 'ADEChallengeData2016'}" in message(outer)


def test_broken_ade20k_is_named(ade20k):
    label = ade20k / "annotations" / "training" / "0001.png"
    Image.fromarray(np.full((32, 40), 4, np.uint8)).save(label)
    assert "label 4, there are 3 classes" in message(ade20k)
    Image.fromarray(np.zeros((32, 41), np.uint8)).save(label)
    assert "41x32, its image 40x32" in message(ade20k)
    Image.fromarray(np.zeros((32, 40, 3), np.uint8)).save(label)
    assert "no 8-bit index picture" in message(ade20k)
    label.write_bytes(b"")
    assert "cannot be read" in message(ade20k)
    label.unlink()
    assert "0001.jpg" in message(ade20k)


def test_missing_folders_of_ade20k_are_named(ade20k):
    (ade20k / "classes.csv").write_text("index,name\n0,other\n2,b\n")
    assert "must number its classes" in message(ade20k)
    (ade20k / "annotations" / "validation").rename(ade20k / "annotations" / "val")
    assert "annotations/validation does not exist" in message(ade20k)


def test_unknown_kinds_are_the_users_error(tmp_path):
    (tmp_path / "classes.csv").write_text("index,name,kind\n0,other,\n1,a,thing\n2,b,matter\n")
    with pytest.raises(UserError, match="class 'b' is of kind 'matter': give thing or stuff"):
        class_kinds(tmp_path)
    (tmp_path / "classes.csv").write_text("index,name,kind\n0,other,\n2,b,stuff\n1,a,thing\n")
    assert class_kinds(tmp_path) == ["thing", "stuff"] and class_names(tmp_path) == ["a", "b"]
    (tmp_path / "classes.csv").write_text("index,name\n0,other\n1,a\n")
    assert class_kinds(tmp_path) is None and class_names(tmp_path) == ["a"]


def test_a_folder_that_a_task_reads_must_be_there(ade20k):
    require_folder(ade20k, "images/training")
    with pytest.raises(UserError, match=r"images/train does not exist: is .* ADEChallengeData2016"):
        require_folder(ade20k, "images/train")


@pytest.mark.parametrize("suffix", [".JPG", ".png"])
def test_images_may_end_in_another_way_but_all_in_one(ade20k, suffix):
    for file in list((ade20k / "images").rglob("*.jpg")):
        with Image.open(file) as image:
            image.save(file.with_suffix(suffix))
        file.unlink()
    assert image_suffix(ade20k / "images" / "training") == suffix
    assert "training 3" in Ade20k().check(ade20k).summary and Ade20k().glance(ade20k) is None
    first = next((ade20k / "images" / "training").iterdir())
    first.rename(first.with_suffix(".jpeg"))
    assert f"images that end in {' and '.join(sorted([suffix, '.jpeg']))}" in message(ade20k)
    for file in (ade20k / "images" / "training").iterdir():
        file.unlink()
    with pytest.raises(UserError, match="has no images"):
        image_suffix(ade20k / "images" / "training")
