"""Annotations and lists that are broken, hostile or odd: one line names the file, and nothing is touched."""

from __future__ import annotations

import json

import pytest
from dense_data import write_coco
from hostile_data import OUTSIDE, detect, refused
from PIL import Image

from benchmark.data import load_layout
from benchmark.data.coco_labels import read_split


@pytest.fixture
def coco(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / OUTSIDE)
    return write_coco(tmp_path / "coco", {"train": 3, "val": 1, "test": 1}, 40)


def first(key, **changes):
    return lambda content: content[key][0].update(changes)


def without(key, field):
    return lambda content: content[key][0].pop(field)


def masked(**mask):
    """The first object gets this mask, with the size of its image (24 + 8 pixels high)."""
    return first("annotations", segmentation={"size": [32, 40], **mask})


DEEP = "[" * 100_000 + "]" * 100_000
HUGE = 10**30

COCO = {
    "image is no object": (lambda c: c["images"].append(3), "is no object"),
    "image without id": (without("images", "id"), "has no id"),
    "image with text for id": (first("images", id="1"), "has no id"),
    "image with a huge id": (first("images", id=HUGE), "has no id"),
    "image with a list for id": (first("images", id=[1]), "has no id"),
    "image id twice": (lambda c: c["images"][1].update(id=c["images"][0]["id"]), "used twice"),
    "image without file_name": (without("images", "file_name"), "has no file_name"),
    "image with a number for file_name": (first("images", file_name=7), "has no file_name"),
    "file_name with a NUL": (first("images", file_name="a\0.jpg"), "has no file_name"),
    "file_name with half a character": (first("images", file_name="\ud800.jpg"), "lead out of"),
    "file_name that is too long": (first("images", file_name="a" * 5000), "are not in"),
    "file_name leads up": (first("images", file_name=f"../../{OUTSIDE}"), "leads out of"),
    "file_name leads down and up": (first("images", file_name=f"a/../../../{OUTSIDE}"), "leads out of"),
    "file_name is absolute": (first("images", file_name="/etc/passwd"), "leads out of"),
    "file_name is a folder": (first("images", file_name="."), "are not in"),
    "file_name with an escape": (first("images", file_name="\x1b]0;title\x07.jpg"), "are not in"),
    "image that is not there": (first("images", file_name="gone.jpg"), "gone.jpg"),
    "category without id": (without("categories", "id"), "has no id"),
    "category without name": (without("categories", "name"), "has no name"),
    "category id twice": (lambda c: c["categories"][1].update(id=1), "used twice"),
    "category name twice": (lambda c: c["categories"][1].update(name="red"), "used twice"),
    "categories missing": (lambda c: c.pop("categories"), "no categories"),
    "categories are an object": (lambda c: c.update(categories={"1": "red"}), "is no list"),
    "images are null": (lambda c: c.update(images=None), "no images"),
    "annotation of no image": (first("annotations", image_id=99), "image_id 99"),
    "annotation with a list for image": (first("annotations", image_id=[1]), "belongs to no image"),
    "annotation of no category": (first("annotations", category_id=77), "category_id 77"),
    "annotation is null": (lambda c: c["annotations"].append(None), "is no object"),
}
"""What detection and multi-label classification refuse of one file."""

OBJECTS = {
    "image without width": (without("images", "width"), "no width and height"),
    "image with text for width": (first("images", width="40"), "no width and height"),
    "image of no width": (first("images", width=0), "no width and height"),
    "image with an absurd size": (first("images", width=10**9, height=10**9), "no width and height"),
    "annotation without id": (without("annotations", "id"), "has no id"),
    "annotation id twice": (lambda c: c["annotations"][1].update(id=1), "used twice"),
    "no bbox": (without("annotations", "bbox"), "has no bbox"),
    "bbox is text": (first("annotations", bbox="1 2 3 4"), "has no bbox"),
    "bbox of text": (first("annotations", bbox=["1", "2", "3", "4"]), "has no bbox"),
    "bbox of three": (first("annotations", bbox=[1, 2, 3]), "has no bbox"),
    "bbox is not a number": (first("annotations", bbox=[1, 2, float("nan"), 4]), "has no bbox"),
    "bbox is infinite": (first("annotations", bbox=[1, 2, float("inf"), 4]), "has no bbox"),
    "bbox of huge integers": (first("annotations", bbox=[1, 2, 10**400, 4]), "has no bbox"),
    "bbox of negative width": (first("annotations", bbox=[9, 9, -3, 4]), "has no bbox"),
    "bbox far outside": (first("annotations", bbox=[1e12, 1, 3, 4]), "far outside"),
    "no area": (without("annotations", "area"), "has no area"),
    "area is not a number": (first("annotations", area=float("nan")), "has no area"),
    "no iscrowd": (without("annotations", "iscrowd"), "has no iscrowd"),
    "iscrowd is text": (first("annotations", iscrowd="no"), "has no iscrowd"),
    "all are crowds": (lambda c: [a.update(iscrowd=1) for a in c["annotations"]], "crowds"),
    "no segmentation": (without("annotations", "segmentation"), "no segmentation"),
    "segmentation is text": (first("annotations", segmentation="x"), "neither polygons nor"),
    "polygon of numbers alone": (first("annotations", segmentation=[1, 2, 3, 4, 5, 6]), "three points"),
    "polygon of two points": (first("annotations", segmentation=[[1, 2, 3, 4]]), "three points"),
    "polygon of odd length": (first("annotations", segmentation=[[1, 2, 3, 4, 5, 6, 7]]), "three points"),
    "polygon of text": (first("annotations", segmentation=[["1"] * 6]), "no numbers"),
    "polygon not a number": (first("annotations", segmentation=[[float("nan")] * 6]), "no numbers"),
    "polygon far outside": (first("annotations", segmentation=[[0, 0, 1e9, 0, 1, 1]]), "far outside"),
    "run lengths of another size": (masked(size=[8, 8], counts=[64]), "another size"),
    "run lengths without size": (first("annotations", segmentation={"counts": [1]}), "another size"),
    "run lengths missing": (masked(), "do not fill"),
    "run lengths too short": (masked(counts=[5, 5]), "do not fill"),
    "run lengths too long": (masked(counts=[1280, 10**12]), "do not fill"),
    "run lengths negative": (masked(counts=[-5, 1285]), "do not fill"),
    "run lengths of text": (masked(counts=["1280"]), "do not fill"),
    "compressed run lengths empty": (masked(counts=""), "do not fill"),
    "compressed run lengths torn": (masked(counts="PPP"), "do not fill"),
    "compressed run lengths garbage": (masked(counts="\x7f ~zz\u1234"), "do not fill"),
    "compressed run lengths endless": (masked(counts="o" * 5000 + "0"), "do not fill"),
    "compressed run lengths huge": (masked(counts="oooooo0oooooo0"), "do not fill"),
}
"""What detection refuses beyond that."""


def change(root, edit, split="train"):
    file = root / "annotations" / f"instances_{split}.json"
    content = json.loads(file.read_text())
    edit(content)
    file.write_text(json.dumps(content))
    return file


@pytest.mark.parametrize(("edit", "words"), [*COCO.values(), *OBJECTS.values()], ids=[*COCO, *OBJECTS])
def test_broken_objects_are_refused_by_the_check_and_by_the_run(coco, edit, words):
    file = change(coco, edit)
    for act in (lambda: load_layout("coco").check(coco), lambda: detect(coco)):
        refused(act, coco.parent, file.name, words)


@pytest.mark.parametrize(("edit", "words"), COCO.values(), ids=COCO)
def test_broken_labels_are_refused(coco, edit, words):
    file = change(coco, edit)
    refused(lambda: read_split(coco, "train"), coco.parent, file.name, words)


@pytest.mark.parametrize("edit", [edit for edit, _ in OBJECTS.values()], ids=OBJECTS)
def test_labels_of_images_need_no_boxes_and_masks(coco, edit):
    change(coco, edit)
    assert len(read_split(coco, "train")) == 3


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cannot be read"),
        (b"{", "cannot be read"),
        (b"[1, 2]", "no COCO annotation file"),
        (b"7", "no COCO annotation file"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"\0" * 4096, "cannot be read"),
        (f'{{"images": {DEEP}}}'.encode(), "too deep"),
        (b'{"images": [' + b"9" * 5000 + b"]}", "cannot be read"),
    ],
    ids=["empty", "torn", "a list", "a number", "no UTF-8", "zeros", "deep", "a number of 5000 digits"],
)
def test_files_that_are_no_annotations_are_refused(coco, content, words):
    file = coco / "annotations" / "instances_train.json"
    file.write_bytes(content)
    for act in (lambda: detect(coco), lambda: read_split(coco, "train")):
        refused(act, coco.parent, file.name, words)
    refused(lambda: load_layout("coco").check(coco), coco.parent, "instances_train")


def test_all_kinds_of_faults_are_counted(coco):
    def edit(content):
        for annotation in content["annotations"][:2]:
            annotation["bbox"] = None
        content["annotations"][2]["area"] = "3"

    change(coco, edit)
    text = refused(lambda: load_layout("coco").check(coco), coco, "3 of", "annotation 1", "has no area")
    assert "2, of which the first (annotation 1) has no bbox" in text


def test_links_may_not_lead_out_but_the_folder_may_be_one(coco):
    (coco / "train").rename(coco.parent / "elsewhere")
    (coco / "train").symlink_to(coco.parent / "elsewhere")
    linked = coco.parent / "linked"
    linked.symlink_to(coco)
    detect(linked)
    assert "train 3" in load_layout("coco").check(linked).summary
    picture = next((coco / "train").iterdir())
    picture.unlink()
    picture.symlink_to(coco.parent / OUTSIDE)
    for act in (
        lambda: load_layout("coco").check(coco),
        lambda: detect(coco),
        lambda: read_split(coco, "train"),
    ):
        refused(act, coco, "lead out of", picture.name)
    picture.unlink()
    picture.symlink_to(picture)
    refused(lambda: detect(coco), coco, picture.name)


def test_odd_objects_are_a_warning(coco):
    change(coco, first("annotations", id=0, bbox=[-9, -9, 4, 4], segmentation=[[-9, -9, -5, -9, -5, -5]]))
    warnings = " ".join(load_layout("coco").check(coco).warnings)
    assert all(word in warnings for word in ("1 boxes reach", "1 masks lie outside", "id 0"))
    detect(coco)


MANIFESTS = {
    "leads up": (f"../{OUTSIDE},a", "must be one below"),
    "absolute": ("/etc/passwd,a", "must be one below"),
    "a link that leads out": ("link.png,a", "lead out of"),
    "a link to itself": ("loop.png,a", "loop.png"),
    "not there": ("gone.png,a", "gone.png"),
    "a folder": ("folder,a", "folder"),
    "no path": (",a", "must be one below"),
    "a NUL": ("a\0.png,a", ""),
    "too long": ("a" * 5000 + ",a", "not there"),
    "twice": ("one.png,a", "twice"),
    "a field without end": ('"' + "a" * 200_000, "cannot be read"),
}


@pytest.mark.parametrize(("row", "words"), MANIFESTS.values(), ids=MANIFESTS)
def test_broken_manifests_are_refused(tmp_path, row, words):
    root = tmp_path / "data"
    (root / "folder").mkdir(parents=True)
    for file in (root / "one.png", root / "two.png", tmp_path / OUTSIDE):
        Image.new("RGB", (4, 4)).save(file)
    (root / "link.png").symlink_to(tmp_path / OUTSIDE)
    (root / "loop.png").symlink_to("loop.png")
    (root / "manifest.csv").write_text(f"path,label\none.png,a\ntwo.png,b\n{row}\n")
    refused(lambda: load_layout("images").check(root), tmp_path, "manifest.csv", words)


SPLITS = {
    "a number": '{"splits": 5}',
    "none": '{"splits": []}',
    "numbers": '{"splits": [1, 2]}',
    "a name that leads up": '{"splits": ["train", "../elsewhere"]}',
    "an absolute name": '{"splits": ["/etc"]}',
    "not there": '{"splits": ["train"]}',
    "torn": '{"splits": [',
    "deep": DEEP,
    "a list": "[]",
}


@pytest.mark.parametrize("text", SPLITS.values(), ids=SPLITS)
def test_broken_saved_data_sets_are_refused(tmp_path, text):
    (tmp_path / "elsewhere").mkdir()
    root = tmp_path / "saved"
    root.mkdir()
    (root / "dataset_dict.json").write_text(text)
    refused(lambda: load_layout("images").check(root), tmp_path, str(root))
