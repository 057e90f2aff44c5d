"""What is wrong with a data set is said in one line, before any training."""

import json

import numpy as np
import pytest
from dense_data import write_ade20k, write_coco
from PIL import Image

from backbones import UserError
from benchmark.data.checks import check_ade20k, check_coco

SPLITS = {"training": 3, "validation": 2, "test": 2}


@pytest.fixture
def coco(tmp_path):
    return write_coco(tmp_path / "coco", {"train": 3, "val": 2, "test": 2}, 48)


@pytest.fixture
def ade20k(tmp_path):
    return write_ade20k(tmp_path / "ade", SPLITS, 32)


def change(path, edit):
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def message(check, path):
    with pytest.raises(UserError) as caught:
        check(path)
    text = str(caught.value)
    assert "\n" not in text and str(path) in text
    return text


def test_sound_data_are_summed_up(coco, ade20k):
    report = check_coco(coco)
    assert "2 categories" in report.summary and "train 3, val 2" in report.summary and report.warnings == ()
    report = check_ade20k(ade20k)
    assert "3 classes" in report.summary and "training 3" in report.summary and report.warnings == ()


def test_other_counts_than_the_real_sets_are_only_a_warning(tmp_path):
    root = write_coco(tmp_path / "coco", {"train2017": 2, "val2017": 1}, 48)
    assert "118287" in check_coco(root).warnings[0]
    root = write_ade20k(tmp_path / "ade", {"training": 2, "validation": 1}, 32, classes=None)
    report = check_ade20k(root)
    assert "150 classes" in report.summary and "20210" in report.warnings[0]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda c: c["annotations"][0].update(image_id=99), "image_id 99"),
        (lambda c: c["annotations"][0].update(category_id=77), "category_id 77"),
        (lambda c: c["annotations"][0].update(segmentation=[]), "no segmentation"),
        (lambda c: c["annotations"][1].update(id=c["annotations"][0]["id"]), "used twice"),
        (lambda c: c["images"][0].update(file_name="gone.jpg"), "gone.jpg"),
        (lambda c: c["categories"][0].update(name="blue"), "other categories"),
        (lambda c: c.pop("categories"), "no categories"),
    ],
)
def test_broken_coco_annotations_are_named(coco, edit, words):
    change(coco / "annotations" / "instances_train.json", edit)
    assert words in message(check_coco, coco)


def test_missing_parts_of_coco_are_named(coco, tmp_path):
    assert "does not exist" in message(check_coco, tmp_path / "nowhere")
    assert str(coco) in message(check_coco, coco.parent)  # "did you mean ...?"
    (coco / "annotations" / "instances_test.json").write_text("{")
    assert "instances_test.json cannot be read" in message(check_coco, coco)
    (coco / "annotations" / "instances_test.json").unlink()
    (coco / "annotations" / "instances_val.json").unlink()
    assert "val split is missing" in message(check_coco, coco)


def test_odd_but_usable_coco_is_a_warning(coco):
    file = coco / "annotations" / "instances_val.json"
    change(file, lambda c: c["annotations"][0].update(id=0, bbox=[40, 1, 30, 5]))
    warnings = check_coco(coco).warnings
    assert any("beyond" in w for w in warnings) and any("id 0" in w for w in warnings)


def test_the_wrong_ade20k_is_recognised(ade20k, tmp_path):
    full = tmp_path / "ADE20K_2021_17_01"
    (full / "images" / "ADE" / "training").mkdir(parents=True)
    assert "ADEChallengeData2016.zip" in message(check_ade20k, full)
    outer = tmp_path / "outer"
    outer.mkdir()
    ade20k.rename(outer / "ADEChallengeData2016")
    assert "give" in message(check_ade20k, outer)


def test_broken_ade20k_is_named(ade20k):
    label = ade20k / "annotations" / "training" / "0001.png"
    Image.fromarray(np.full((32, 40), 4, np.uint8)).save(label)
    assert "label 4, there are 3 classes" in message(check_ade20k, ade20k)
    Image.fromarray(np.zeros((32, 41), np.uint8)).save(label)
    assert "41x32, its image 40x32" in message(check_ade20k, ade20k)
    Image.fromarray(np.zeros((32, 40, 3), np.uint8)).save(label)
    assert "no 8-bit index picture" in message(check_ade20k, ade20k)
    label.write_bytes(b"")
    assert "cannot be read" in message(check_ade20k, ade20k)
    label.unlink()
    assert "0001.jpg" in message(check_ade20k, ade20k)


def test_missing_folders_of_ade20k_are_named(ade20k):
    (ade20k / "classes.csv").write_text("index,name\n0,other\n2,b\n")
    assert "must number its classes" in message(check_ade20k, ade20k)
    (ade20k / "annotations" / "validation").rename(ade20k / "annotations" / "val")
    assert "annotations/validation does not exist" in message(check_ade20k, ade20k)
