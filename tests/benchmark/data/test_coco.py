"""What is wrong with data in COCO's layout is said in one line, before any training."""

import json

import pytest
from dense_data import write_coco

from benchmark.data.coco import Coco, class_names, require_images, without_year
from benchmark.data.coco_labels import read_split, splits
from common.errors import UserError


@pytest.fixture
def coco(tmp_path):
    return write_coco(tmp_path / "coco", {"train": 3, "val": 2, "test": 2}, 48)


def change(path, edit):
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def message(path):
    with pytest.raises(UserError) as caught:
        Coco().check(path)
    text = str(caught.value)
    assert "\n" not in text and str(path) in text
    return text


def test_sound_data_are_summed_up(coco):
    report = Coco().check(coco)
    assert "2 categories" in report.summary and "train 3, val 2" in report.summary and report.warnings == ()


def test_other_counts_than_cocos_are_only_a_warning(tmp_path):
    root = write_coco(tmp_path / "coco", {"train2017": 2, "val2017": 1}, 48)
    assert "118287" in Coco().check(root).warnings[0]


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
    assert words in message(coco)


def test_missing_parts_of_coco_are_named(coco, tmp_path):
    assert "does not exist" in message(tmp_path / "nowhere")
    assert str(coco) in message(coco.parent)  # "did you mean ...?"
    (coco / "annotations" / "instances_test.json").write_text("{")
    assert "instances_test.json cannot be read" in message(coco)
    (coco / "annotations" / "instances_test.json").unlink()
    (coco / "annotations" / "instances_val.json").unlink()
    assert "val split is missing" in message(coco)


def test_odd_but_usable_coco_is_a_warning(coco):
    file = coco / "annotations" / "instances_val.json"
    change(file, lambda c: c["annotations"][0].update(id=0, bbox=[40, 1, 30, 5]))
    warnings = Coco().check(coco).warnings
    assert any("beyond" in w for w in warnings) and any("id 0" in w for w in warnings)


def test_class_names_are_in_the_order_of_the_file(coco, tmp_path):
    file = coco / "annotations" / "instances_train.json"
    assert class_names(file) == ["red", "green"]
    change(file, lambda c: c["categories"].reverse())
    assert class_names(file) == ["green", "red"]
    for content, words in (("[]", "no COCO annotation file"), ("{", "cannot be read")):
        file.write_text(content)
        with pytest.raises(UserError, match=words):
            class_names(file)
    with pytest.raises(UserError, match=r"gone\.json does not exist"):
        class_names(tmp_path / "gone.json")
    require_images(coco / "train", file)
    with pytest.raises(UserError, match=r"images of instances_train\.json belong there"):
        require_images(coco / "gone", file)


def test_splits_may_be_called_with_cocos_year_or_without(coco):
    given = "annotations/instances_train2017.json", "train2017"
    assert without_year(coco, *given) == ("annotations/instances_train.json", "train")
    (coco / "annotations" / "instances_train.json").rename(coco / given[0])
    assert without_year(coco, *given) == given
    assert without_year(coco / "nowhere", *given) == given


def test_which_categories_an_image_shows(coco):
    train = read_split(coco, "train")
    content = json.loads((coco / "annotations" / "instances_train.json").read_text())
    names = {entry["id"]: entry["name"] for entry in content["categories"]}
    for row, image in enumerate(sorted(content["images"], key=lambda entry: entry["id"])):
        shown = {names[a["category_id"]] for a in content["annotations"] if a["image_id"] == image["id"]}
        assert {train.classes[k] for k in train.labels[row].nonzero()[0]} == shown
        assert train.paths[row] == f"train/{image['file_name']}"
    assert splits(coco) == ["test", "train", "val"]
    assert read_split(coco, "val", train.classes).labels.shape == (2, 2)
    with pytest.raises(UserError, match="other categories than the training split"):
        read_split(coco, "val", ["green", "red", "blue"])
    with pytest.raises(UserError, match="several labels each: use a multi-label task"):
        read_split(coco, "train", several=False)
    next((coco / "train").iterdir()).unlink()
    with pytest.raises(UserError, match="1 images of instances_train"):
        read_split(coco, "train")
