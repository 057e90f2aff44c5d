"""Robustness: further test sets of every layout, and what is measured on them."""

import shutil

import numpy as np
import pytest
from image_data import COLOURS, MeanColour, draw_images
from mmengine.config import Config
from PIL import Image

from benchmark.data.shifted import read_shifted
from benchmark.tasks import load_task
from benchmark.tasks.base import TaskContext
from common.errors import UserError
from common.progress import silent

CLASSES = sorted(COLOURS)


@pytest.fixture
def probe(tmp_path, monkeypatch):
    monkeypatch.setattr("backbones.load_backbone", lambda name, seed=0: MeanColour())
    draw_images(tmp_path / "own")

    def act(further, **settings):
        cfg = Config({"task": dict(type="linear_probe", data="toy", workers=0, **settings)})
        context = TaskContext(cfg, tmp_path / "own", tmp_path, "x", 0, silent, further=further)
        return load_task("linear_probe").run(context)

    return act


def corrupted(root, corruptions, swap=()):
    """ImageNet-C's layout; pictures of the corruptions in `swap` show another class than they should."""
    for corruption in corruptions:
        for severity in ("1", "3"):
            colours = dict(zip(COLOURS, COLOURS.values(), strict=True))
            if corruption in swap:
                colours["red"], colours["blue"] = colours["blue"], colours["red"]
            folder = root / "group" / corruption
            draw_images(folder, ((severity, 3),), colours=colours)
    return root


def test_a_copy_of_the_own_test_images_drops_nothing(probe, tmp_path):
    shutil.copytree(tmp_path / "own" / "test", tmp_path / "copy")
    outcome = probe({"copy": tmp_path / "copy"})
    assert outcome.metrics["top1_on_copy"].value == outcome.metrics["top1"].value
    assert outcome.metrics["drop_on_copy"].value == 0 and not outcome.metrics["drop_on_copy"].higher_is_better
    assert outcome.details["further"]["copy"]["images"] == 24
    assert outcome.images == 18 + 12 + 24 + 24


def test_corruptions_are_averaged_and_measured_by_a_reference(probe, tmp_path):
    root = corrupted(tmp_path / "c", ("fog", "snow"), swap=("snow",))
    reference = tmp_path / "alexnet.csv"
    reference.write_text("corruption,error\nfog,0.8\nsnow,0.5\n")
    outcome = probe({"c": root}, mce_reference=str(reference))
    errors = outcome.details["further"]["c"]["error_by_corruption"]
    assert errors["fog"] < 0.05 and errors["snow"] == pytest.approx(2 / 3, abs=0.05)
    assert outcome.metrics["top1_on_c"].n == 9, "pictures, each of which is there in four versions"
    assert outcome.metrics["top1_on_c"].value == pytest.approx(
        100 * (1 - np.mean(list(errors.values()))), abs=1e-2
    )
    expected = 100 * (errors["fog"] / 0.8 + errors["snow"] / 0.5) / 2
    assert outcome.metrics["mce_on_c"].value == pytest.approx(expected, abs=1e-2)
    assert "mce_on_c" not in probe({"c": root}).metrics
    for text, message in (
        ("corruption,error\nfog,0.8\n", "no error for snow"),
        ("a,b\n1,2\n", "no csv with"),
    ):
        reference.write_text(text)
        with pytest.raises(UserError, match=message):
            probe({"c": root}, mce_reference=str(reference))
    reference.write_text("corruption,error\nfog,0\nsnow,0.5\n")
    with pytest.raises(UserError, match="error of fog is no share"):
        probe({"c": root}, mce_reference=str(reference))


def test_a_set_of_some_classes_is_judged_among_these(probe, tmp_path):
    root = tmp_path / "some"
    draw_images(root.parent / "tmp", (("x", 4),))
    (root.parent / "tmp" / "x").rename(root)
    shutil.rmtree(root / "green")
    for number in range(4):  # between green and red, nearer to green
        Image.new("RGB", (20, 16), (110, 120, 30)).save(root / "red" / f"{number}.png")
    outcome = probe({"some": root})
    assert outcome.metrics["top1_on_some"].value == 100
    assert outcome.details["further"]["some"]["classes"] == 2


def test_numbers_are_classes_in_order(tmp_path):
    for number, name in enumerate(CLASSES):
        Image.new("RGB", (8, 8), COLOURS[name]).save(folder(tmp_path / str(number)) / "a.png")
    (part,) = read_shifted(tmp_path, CLASSES)
    named = {part.images.image(k).getpixel((0, 0)): CLASSES[part.images.labels[k]] for k in range(3)}
    assert named == {COLOURS[name]: name for name in CLASSES}
    # ten classes and more: "10" is not between "1" and "2"
    wide = [f"c{number:02}" for number in range(12)]
    for number in range(12):
        Image.new("RGB", (8, 8), (20 * number, 0, 0)).save(folder(tmp_path / "v2" / str(number)) / "a.png")
    (part,) = read_shifted(tmp_path / "v2", wide)
    assert [20 * int(label) for label in part.images.labels] == [
        part.images.image(k).getpixel((0, 0))[0] for k in range(12)
    ]


def folder(path):
    path.mkdir(parents=True, exist_ok=True)
    return path


def test_layouts_and_what_is_wrong_with_them(tmp_path):
    parts = read_shifted(corrupted(tmp_path / "c", ("fog", "snow")), CLASSES)
    assert [(part.corruption, part.severity) for part in parts] == [
        *(("fog", 1), ("fog", 3)),
        *(("snow", 1), ("snow", 3)),
    ]
    assert len(read_shifted(tmp_path / "c" / "group", CLASSES)) == 4
    root = draw_images(tmp_path / "splits")
    assert len(read_shifted(root, CLASSES)[0].images) == 24
    with pytest.raises(UserError, match=r"has no training images.*\(a further test set"):
        read_shifted(root, ["blue", "green"])
    shutil.rmtree(root / "val")
    shutil.rmtree(root / "test")
    with pytest.raises(UserError, match="has the splits train, and none called test or val"):
        read_shifted(root, CLASSES)


def test_the_demos_corrupted_images_are_those_test_images(tmp_path):
    from benchmark.demo_data import DemoSpec, draw_missing

    one = "class_train class_val class_shifted pairs val_pairs instances_train instances_val instances_test"
    one += " semantic_train semantic_val semantic_test"
    spec = DemoSpec(
        **dict.fromkeys(one.split(), 1), concepts=4, classes=2, class_test=2, categories=2, things=2
    )
    root = draw_missing(tmp_path / "demo", spec, workers=1)
    names = sorted(path.name for path in (root / "classification" / "test").iterdir())
    parts = read_shifted(root / "shifted", names)
    assert len(parts) == 8 and all(len(part.images) == 2 for part in parts)
    clean = Image.open(root / "classification" / "test" / names[0] / f"{names[0]}_0000.jpg")
    for part in parts:
        found = np.asarray(part.images.image(0), dtype=float)
        difference = np.abs(found - np.asarray(clean.convert("RGB"), dtype=float)).mean()
        assert 1 < difference < 80, part.corruption
    mild, strong = (np.asarray(parts[k].images.image(0), dtype=float).std() for k in (0, 1))
    assert parts[0].corruption == "contrast" and strong < mild
