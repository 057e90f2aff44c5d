"""Labelled images of every form: what is read, and what is wrong with one, in one line."""

import numpy as np
import pytest
from image_data import draw_images
from PIL import Image

from benchmark.data import labelled, manifest
from benchmark.data.images import decode, read_image
from benchmark.data.labelled import LabelledImages
from benchmark.data.subsets import fraction, hold_out
from benchmark.tasks.splits import SplitSettings, TrainingSplits, choose_splits
from common.errors import UserError


@pytest.fixture
def listed(tmp_path):
    """Pictures in one folder, and a function that lists them in a manifest."""
    for number in range(6):
        Image.new("RGB", (8, 8), (40 * number, 0, 0)).save(tmp_path / f"{number}.png")

    def write(*lines, header="path,label,split", bom=""):
        text = bom + "\n".join([header, *lines]) + "\n"
        (tmp_path / "manifest.csv").write_text(text, encoding="utf-8")
        return tmp_path

    return write


def test_a_manifest_says_what_is_on_which_picture(listed):
    root = listed("0.png,5,train", "1.png,Größe,train", "2.png,5,test", "3.png,Größe,test", bom="\ufeff")
    train = labelled.read_split(root, "train")
    assert train.classes == ["5", "Größe"] and train.paths == ["0.png", "1.png"]
    assert train.image(1).getpixel((0, 0)) == (40, 0, 0)
    test = labelled.read_split(root / "manifest.csv", "test", train.classes)
    assert test.labels.tolist() == [0, 1] and labelled.splits(root) == ["test", "train"]
    assert (
        "csv manifest, 2 classes, images: train 2, test 2 (4 opened)" in LabelledImages().check(root).summary
    )
    assert LabelledImages().check(root / "manifest.csv").summary.startswith(str(root / "manifest.csv"))


def test_a_manifest_may_give_several_labels_or_none(listed):
    root = listed("0.png,a|b", "1.png,b", "2.png,", header="path,label")
    images = labelled.read_split(root, "", several=True)
    assert images.paths == ["2.png", "0.png", "1.png"] and images.classes == ["a", "b"]
    assert images.labels.tolist() == [[False, False], [True, True], [False, True]]
    with pytest.raises(UserError, match=r"0\.png has 2 labels \(a \| b\), and this task wants one"):
        labelled.read_split(root, "")


@pytest.mark.parametrize(
    "lines, header, message",
    [
        ((), "path,label", "lists no images"),
        (("0.png,a",), "file,label", "needs the columns path and label"),
        (("../x.png,a", "0.png,b"), "path,label", r"line 2: path '\.\./x\.png' must be one below"),
        (("/etc/x.png,a", "0.png,b"), "path,label", "line 2: path '/etc/x.png' must be one below"),
        (("0.png,a", "0.png,b"), "path,label", r"lists '0\.png' twice"),
        (("0.png,a,train", "1.png,b,"), "path,label,split", "gives 1 of 2 images a split"),
        (("0.png,a", "1.png,a"), "path,label", r"one class only \(a\)"),
        (("0.png,Cat", "1.png,cat"), "path,label", "'Cat' and 'cat' differ in case"),
        (("0.png,é", "1.png,e\u0301"), "path,label", "differ in case or in the coding"),
        (
            tuple(f"gone{number}.png,a" for number in range(7)),
            "path,label",
            r"7 of 7 files that .* lists are not there: 'gone0\.png', 'gone1\.png', .*'gone4\.png', \.\.\.$",
        ),
    ],
)
def test_what_is_wrong_with_a_manifest_is_named(listed, lines, header, message):
    root = listed(*lines, header=header)
    with pytest.raises(UserError, match=message):
        labelled.read_split(root, "train" if header.endswith("split") else "")


def test_a_manifest_that_is_no_text_is_named(tmp_path):
    (tmp_path / "manifest.csv").write_bytes(b"path,label\n\xff\xfe,a\n")
    with pytest.raises(UserError, match="cannot be read as a csv in UTF-8"):
        manifest.splits(tmp_path)


def test_a_saved_data_set_is_read_as_the_folders_it_was_made_of(tmp_path):
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Sequence
    from datasets import Image as Picture

    root = draw_images(tmp_path / "folders", (("train", 2), ("test", 1)))
    names = ["blue", "green", "red"]
    features = Features({"image": Picture(), "label": ClassLabel(names=names)})
    sets = {}
    for split in ("train", "test"):
        known = labelled.read_split(root, split, names)
        files = [(root / path).read_bytes() for path in known.paths]
        rows = {"image": [{"bytes": file, "path": None} for file in files], "label": known.labels.tolist()}
        sets[split] = Dataset.from_dict(rows, features=features)
    saved = tmp_path / "saved"
    DatasetDict(sets).save_to_disk(str(saved))
    assert labelled.splits(saved) == ["test", "train"]
    found, known = labelled.read_split(saved, "train"), labelled.read_split(root, "train")
    assert found.classes == known.classes and found.labels.tolist() == known.labels.tolist()
    assert np.array_equal(np.asarray(found.image(3)), np.asarray(known.image(3)))
    assert found.subset(np.array([4])).state() != found.subset(np.array([3])).state()
    assert "Hugging Face data set, 3 classes" in LabelledImages().check(saved).summary

    several = Features({"image": Picture(), "labels": Sequence(ClassLabel(names=names))})
    rows = {"image": [{"bytes": (root / known.paths[0]).read_bytes(), "path": None}], "labels": [[0, 2]]}
    Dataset.from_dict(rows, features=several).save_to_disk(str(tmp_path / "one"))
    assert labelled.splits(tmp_path / "one") == []
    assert labelled.read_split(tmp_path / "one", "", several=True).labels.tolist() == [[True, False, True]]
    assert "3 classes, images: all 1" in LabelledImages().check(tmp_path / "one").summary
    with pytest.raises(UserError, match="several labels an image: use a multi-label task"):
        labelled.read_split(tmp_path / "one", "")
    with pytest.raises(UserError, match="has no split 'val'"):
        labelled.read_split(saved, "val")
    next((saved / "train").glob("*.arrow")).write_bytes(b"torn")
    with pytest.raises(UserError, match="is no data set saved by datasets"):
        labelled.read_split(saved, "train")


def test_a_saved_split_that_lacks_something_is_refused(tmp_path):
    from datasets import ClassLabel, Dataset, Features, Image, Sequence, Value

    def saved(name, rows, features):
        Dataset.from_dict(rows, features=Features(features)).save_to_disk(str(tmp_path / name))
        return tmp_path / name

    for kind in (ClassLabel(names=["a", "b"]), Value("string")):
        value = 0 if isinstance(kind, ClassLabel) else "a"
        root = saved(f"null{value}", {"label": [value, None]}, {"label": kind})
        with pytest.raises(UserError, match="rows without a label"):
            labelled.read_split(root, "")
    root = saved("hot", {"labels": [[0, 1, 0], [1, 1, 0]]}, {"labels": Sequence(Value("int64"))})
    with pytest.raises(UserError, match="says of every class whether it is there"):
        labelled.read_split(root, "", several=True)
    rows = {"image": [None, None], "label": ["a", "b"]}
    root = saved("paths", rows, {"image": Image(), "label": Value("string")})
    with pytest.raises(UserError, match="row 00000000 holds no picture"):
        labelled.read_split(root, "").image(0)

    features = Features({"label": ClassLabel(names=["a", "b"])})
    Dataset.from_dict({"label": [0, -1]}, features=features).save_to_disk(str(tmp_path / "set"))
    with pytest.raises(UserError, match="1 labels are none of the 2 classes"):
        labelled.read_split(tmp_path / "set", "")


def test_folders_of_classes_alone_are_data_too(tmp_path):
    root = draw_images(tmp_path, (("train", 3),)) / "train"
    assert labelled.splits(root) == [] and len(labelled.read_split(root, "")) == 9
    assert "image folder, 3 classes, images: all 9" in LabelledImages().check(root).summary


@pytest.mark.parametrize(
    "found, chosen",
    [
        (["train", "val", "test"], ("train", "val", "test")),
        (["test", "train"], ("train", None, "test")),
        (["train", "val"], ("train", None, "val")),
        (["test", "train", "validation"], ("train", "validation", "test")),
        (["train", "validation"], ("train", None, "validation")),
        ([], ("", None, None)),
    ],
)
def test_auto_takes_the_splits_that_there_are(found, chosen):
    assert choose_splits(SplitSettings(val="auto", test="auto"), found) == chosen


def test_no_split_has_two_parts(tmp_path):
    for wrong in ({"val": "val", "test": "auto"}, {"val": "auto", "test": "train"}):
        with pytest.raises((UserError, ValueError), match="cannot both"):
            choose_splits(SplitSettings(**wrong), ["train", "val"])
    with pytest.raises(ValueError, match="'train' cannot both train and choose"):
        SplitSettings(val="train")
    with pytest.raises(ValueError, match="share between 0 and 1"):
        SplitSettings(val="val", test="auto", hold_out=0)


def test_auto_needs_something_that_judges():
    with pytest.raises(UserError, match="there are the splits train, x, and none called test"):
        choose_splits(SplitSettings(val="auto", test="auto"), ["train", "x"])


def test_parts_of_multi_label_images_are_of_images(listed):
    root = listed(*(f"{number}.png,a|b" for number in range(6)), header="path,label")
    images = labelled.read_split(root, "", several=True)
    kept, held = hold_out(images, 0.34, seed=0)
    assert (len(kept), len(held)) == (4, 2) and not set(kept.paths) & set(held.paths)
    smaller, larger = fraction(images, 0.2), fraction(images, 0.6)
    assert (len(smaller), len(larger)) == (1, 4) and set(smaller.paths) < set(larger.paths)


def test_pictures_are_shown_as_a_viewer_shows_them(tmp_path):
    def first(image, name="a.png", **options):
        image.save(tmp_path / name, **options)
        return read_image(tmp_path / name).getpixel((0, 0))

    assert first(Image.new("RGBA", (2, 2), (200, 0, 0, 0))) == (255, 255, 255)
    assert first(Image.new("LA", (2, 2), (0, 128))) == (127, 127, 127)
    assert first(Image.fromarray(np.full((2, 2), 32768, np.uint16))) == (128, 128, 128)
    assert first(Image.fromarray(np.full((2, 2), 0.5, np.float32)), "a.tiff") == (128, 128, 128)
    assert first(Image.new("1", (2, 2), 1)) == (255, 255, 255)
    cmyk = first(Image.new("CMYK", (8, 8), (0, 0, 0, 255)), "a.jpg")
    assert max(cmyk) < 10
    palette = Image.new("P", (2, 2), 0)
    palette.putpalette([10, 20, 30])
    assert first(palette) == (10, 20, 30)
    assert first(palette, transparency=0) == (255, 255, 255)
    frames = [Image.new("RGB", (4, 4), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    assert first(frames[0], "a.gif", save_all=True, append_images=frames[1:])[0] > 250
    assert first(frames[0], "a.webp", save_all=True, append_images=frames[1:], lossless=True)[0] > 250
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (4, 2)).save(tmp_path / "a.jpg", exif=turned)
    assert read_image(tmp_path / "a.jpg").size == (2, 4)


def test_pictures_that_bite_are_refused_by_name(tmp_path):
    import struct
    import zlib

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"0"))
        + chunk(b"IEND", b"")
    )
    with pytest.raises(UserError, match="bomb is no readable image"):
        decode(bomb, "bomb")
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n"
    (tmp_path / "a.jpg").write_bytes(eps)
    with pytest.raises(UserError, match=r"a\.jpg is no readable image \(cannot identify"):
        read_image(tmp_path / "a.jpg")
    with pytest.raises(UserError, match="nothing is no readable image"):
        decode(b"", "nothing")
    infinite = Image.fromarray(np.full((2, 2), np.inf, np.float32))
    infinite.save(tmp_path / "a.tiff")
    with pytest.raises(UserError, match="fractions that are not in 0 to 1"):
        read_image(tmp_path / "a.tiff")


def test_only_who_chooses_nothing_may_go_without_validation_images():
    assert TrainingSplits(val=None, hold_out=0).hold_out == 0
    with pytest.raises(ValueError, match="give a share between 0 and 1"):
        SplitSettings(val=None, hold_out=0)
