"""Pictures and label maps that are broken, hostile or odd: shown as by a viewer, or named in one line."""

from __future__ import annotations

import os

import numpy as np
import pytest
import typer.testing
from dense_data import write_ade20k, write_coco
from hostile_data import OUTSIDE, refused, segment
from image_data import draw_images
from PIL import Image

from benchmark.cli import app
from benchmark.data import load_layout
from benchmark.data.images import read_image
from benchmark.tasks.openmmlab_pictures import ReadLabels, ReadPicture
from common.errors import UserError
from pretraining.data.shards import decode_image


@pytest.fixture
def coco(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / OUTSIDE)
    return write_coco(tmp_path / "coco", {"train": 3, "val": 1, "test": 1}, 40)


@pytest.fixture
def ade20k(tmp_path):
    Image.new("L", (32, 32)).save(tmp_path / OUTSIDE)
    return write_ade20k(tmp_path / "ade", {"training": 3, "validation": 2}, 32)


BROKEN = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("no picture"),
    "cut after the header's first bytes": lambda path: path.write_bytes(path.read_bytes()[:30]),
    "postscript": lambda path: path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
    "torn TIFF": lambda path: path.write_bytes(b"II*\0\xff\xff\xff\x7f" + b"\0" * 40),
    "torn AVIF": lambda path: path.write_bytes(b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + b"\xff" * 40),
    "torn PNG": lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\xff" * 8),
}


@pytest.mark.parametrize("damage", BROKEN.values(), ids=BROKEN)
def test_broken_pictures_are_found_by_the_check_and_named_by_the_run(coco, ade20k, tmp_path, damage):
    images = draw_images(tmp_path / "images")
    for name, root, place in (
        ("coco", coco, "train/000001.jpg"),
        ("ade20k", ade20k, "images/training/0001.jpg"),
        ("ade20k", ade20k, "annotations/training/0001.png"),
        ("images", images, "test/red/1.png"),
    ):
        whole = (root / place).read_bytes()
        damage(root / place)
        refused(lambda name=name, root=root: load_layout(name).check(root), tmp_path, place)
        refused(lambda file=root / place: read_image(file), tmp_path, place)
        with pytest.raises(ValueError):
            decode_image({"jpg": (root / place).read_bytes()})
        refused(lambda file=root / place: ReadPicture().transform({"img_path": str(file)}), tmp_path, place)
        (root / place).write_bytes(whole)


@pytest.mark.parametrize("name", ["coco", "ade20k", "images"])
def test_whole_pictures_are_decoded_on_request(coco, ade20k, tmp_path, monkeypatch, name):
    monkeypatch.setattr("benchmark.data.labelled.OPENED", 1)
    root = {"coco": coco, "ade20k": ade20k, "images": draw_images(tmp_path / "images")}[name]
    file = {"coco": "train/000002.jpg", "ade20k": "images/training/0001.jpg", "images": "train/red/1.png"}[
        name
    ]
    whole = (root / file).read_bytes()
    (root / file).write_bytes(whole[:-30])
    run = typer.testing.CliRunner().invoke
    assert run(app, ["prepare", name, "--check", str(root)]).exit_code == 0
    refused(lambda: load_layout(name).check(root, thorough=True), tmp_path, file)
    assert (
        run(app, ["prepare", name, "--check", str(root), "--thorough"])
        .exception.args[0]
        .startswith(str(root))
    )


def test_pictures_must_have_the_size_of_their_annotations(coco):
    file = coco / "val" / sorted(os.listdir(coco / "val"))[0]
    Image.new("RGB", (9, 9)).save(file)
    said = {"img_path": str(file), "width": 40, "height": 40}
    for act in (lambda: load_layout("coco").check(coco), lambda: ReadPicture().transform(said)):
        refused(act, coco, file.name, "is 9x9, its annotations say 40x")


def label(values, mode=None):
    return lambda path: Image.fromarray(np.asarray(values), mode).save(path)


LABELS = {
    "a class too many": (label(np.full((32, 40), 4, np.uint8)), "label 4, there are 3 classes"),
    "coloured": (label(np.zeros((32, 40, 3), np.uint8)), "no 8-bit index picture"),
    "coloured and transparent": (label(np.zeros((32, 40, 4), np.uint8)), "no 8-bit index picture"),
    "of 16 bits": (label(np.zeros((32, 40), np.uint16)), "no 8-bit index picture"),
    "too wide": (label(np.zeros((32, 41), np.uint8)), "is 41x32, its image 40x32"),
    "on its side": (label(np.zeros((40, 32), np.uint8)), "is 32x40, its image 40x32"),
    "a renamed JPEG": (lambda path: Image.new("L", (40, 32)).save(path, format="JPEG"), "cannot be read"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-30]), "cannot be read"),
}


@pytest.mark.parametrize(("write", "words"), LABELS.values(), ids=LABELS)
def test_label_maps_that_do_not_fit_are_found_by_the_check_and_named_by_the_run(ade20k, write, words):
    image, file = (ade20k / kind for kind in ("images/training/0001.jpg", "annotations/training/0001.png"))
    with Image.open(image) as picture:
        assert picture.size == (40, 32)
    write(file)

    def read():
        results = {
            "img_path": str(image),
            "seg_map_path": str(file),
            "reduce_zero_label": True,
            "seg_fields": [],
        }
        ReadLabels(3).transform(ReadPicture().transform(results))

    for act in (lambda: load_layout("ade20k").check(ade20k), read):
        refused(act, ade20k, "training/0001.png", words)


ADE20K = {
    "image without labels": (lambda r: (r / "annotations/training/0001.png").unlink(), "have no annotation"),
    "two endings": (
        lambda r: (r / "images/training/0001.jpg").rename(r / "images/training/0001.JPG"),
        "end in .JPG and .jpg",
    ),
    "labels that end in .PNG": (
        lambda r: (r / "annotations/training/0001.png").rename(r / "annotations/training/0001.PNG"),
        "have no annotation",
    ),
    "no images": (lambda r: [f.unlink() for f in (r / "images/training").iterdir()], "no images"),
    "no labels": (lambda r: [f.unlink() for f in (r / "annotations/training").iterdir()], "no annotation"),
    "a label that is a link": (
        lambda r: (
            (r / "annotations/training/0001.png").unlink(),
            (r / "annotations/training/0001.png").symlink_to(r.parent / OUTSIDE),
        ),
        "lead out of",
    ),
    "an image that is a link": (
        lambda r: (
            (r / "images/training/0001.jpg").unlink(),
            (r / "images/training/0001.jpg").symlink_to("/etc/passwd"),
        ),
        "lead out of",
    ),
    "classes without numbers": (lambda r: (r / "classes.csv").write_text("index,name\nx,y\n"), "classes.csv"),
    "classes of zeros": (lambda r: (r / "classes.csv").write_bytes(b"\0" * 99), "classes.csv"),
    "classes that are a folder's": (
        lambda r: (r / "classes.csv").write_bytes(b"index,name\n0,\xff\n1,a\n"),
        "classes.csv",
    ),
    "a class of no name": (lambda r: (r / "classes.csv").write_text("index,name\n1\n"), "classes.csv"),
    "a field without end": (
        lambda r: (r / "classes.csv").write_text('index,name\n1,"' + "a" * 200_000),
        "classes.csv",
    ),
}


@pytest.mark.parametrize(("damage", "words"), ADE20K.values(), ids=ADE20K)
def test_broken_ade20k_is_refused_by_the_check_and_by_the_run(ade20k, damage, words):
    damage(ade20k)
    for act in (lambda: load_layout("ade20k").check(ade20k), lambda: segment(ade20k)):
        refused(act, ade20k.parent, words)


def test_a_split_without_labels_is_refused(ade20k):
    (ade20k / "images/extra").mkdir()
    refused(lambda: load_layout("ade20k").check(ade20k), ade20k, "annotations/extra does not exist")


def test_labels_without_an_image_are_a_warning(ade20k):
    (ade20k / "images/training/0001.jpg").unlink()
    assert load_layout("ade20k").check(ade20k).warnings == (
        "annotations/training has 1 files without an image",
    )
    segment(ade20k)


SAMPLES = {
    "16-bit grey": (np.full((8, 8), 32_639, np.uint16), "png", 127),
    "16-bit grey in TIFF": (np.full((8, 8), 32_639, np.uint16), "tif", 127),
    "fractions": (np.full((8, 8), 0.5, np.float32), "tif", 128),
    "32-bit grey of 16 bits": (np.full((8, 8), 32_639, np.int32), "tif", 127),
    "transparent black": (np.zeros((8, 8, 4), np.uint8), "png", 255),
    "transparent grey": (np.zeros((8, 8, 2), np.uint8), "png", 255),
    "half transparent": (np.full((8, 8, 4), (0, 0, 0, 128), np.uint8), "png", 127),
    "8-bit grey": (np.full((8, 8), 128, np.uint8), "png", 128),
    "8-bit colours": (np.full((8, 8, 3), 128, np.uint8), "png", 128),
}


@pytest.mark.parametrize(("pixels", "suffix", "shown"), SAMPLES.values(), ids=SAMPLES)
def test_pictures_are_shown_as_by_a_viewer_wherever_they_are_read(tmp_path, pixels, suffix, shown):
    file = tmp_path / f"a.{suffix}"
    Image.fromarray(pixels).save(file)
    for read in (
        np.asarray(read_image(file)),
        ReadPicture().transform({"img_path": str(file)})["img"],
        np.asarray(decode_image({"png": file.read_bytes()})),
    ):
        assert read.shape == (8, 8, 3) and read.dtype == np.uint8
        assert np.unique(read).tolist() == [shown]


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((4, 4), 300.0, np.float32),
        np.full((4, 4), -0.5, np.float32),
        np.full((4, 4), np.nan, np.float32),
        np.full((4, 4), 10**6, np.int32),
    ],
    ids=["fractions above 1", "fractions below 0", "not a number", "32 bits"],
)
def test_pictures_whose_white_is_unknown_are_refused(tmp_path, pixels):
    file = tmp_path / "a.tif"
    Image.fromarray(pixels).save(file)
    for act in (lambda: read_image(file), lambda: ReadPicture().transform({"img_path": str(file)})):
        refused(act, tmp_path, "a.tif", "save it with 8 bits")


def test_thorough_needs_a_folder(tmp_path):
    result = typer.testing.CliRunner().invoke(app, ["prepare", "coco", "--thorough"])
    assert isinstance(result.exception, UserError) and "--check PATH" in str(result.exception)
