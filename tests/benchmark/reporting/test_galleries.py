"""Pictures side by side: the right ones, at the right place, and nothing from outside or of torn files."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pandas
import pytest
from dense_data import COLOURS, write_ade20k, write_coco
from image_data import draw_images
from PIL import Image

from benchmark.records.schema import BackboneInfo, DataInfo, Metric, Record, TaskInfo
from benchmark.records.store import write_record
from benchmark.reporting.page import galleries
from benchmark.reporting.page.blocks import Picture
from benchmark.reporting.results import of_folder

NAMES = ("one", "other")


def cell(root, backbone, kind, data):
    folder = root / "toy" / backbone / kind / "seed0"
    record = Record(
        status="done",
        suite="toy",
        backbone=BackboneInfo(name=backbone, spec=f"run:{backbone}"),
        task=TaskInfo(name=kind, type=kind, config=f"{kind}.py", config_digest=kind, protocol=1),
        data=DataInfo(name="toy", path=str(data), digest="d"),
        seed=0,
        fingerprint="f",
        command="python run_suite.py run x.py",
        started="2026-01-01T00:00:00+00:00",
        finished="2026-01-01T00:00:10+00:00",
        primary="x",
        metrics={"x": Metric(value=1.0)},
    )
    write_record(folder, record)
    return folder


def pixels(picture: Picture) -> np.ndarray:
    content = base64.b64decode(picture.source.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(content))).astype(int)


@pytest.fixture
def detected(tmp_path):
    """Two backbones: the one finds everything, the other nothing."""
    data = write_coco(tmp_path / "coco", {"train": 2, "test": 6}, 64)
    truth = json.loads((data / "annotations" / "instances_test.json").read_text())
    for name in NAMES:
        folder = cell(tmp_path, name, "detection", data)
        found = [{**each, "score": 0.9 if name == "one" else 0.1} for each in truth["annotations"]]
        (folder / "detections.segm.json").write_text(json.dumps(found))
        objects = [
            sum(a["image_id"] == image["id"] for a in truth["annotations"]) for image in truth["images"]
        ]
        table = pandas.DataFrame(
            {
                "image_id": [image["id"] for image in truth["images"]],
                "file_name": [image["file_name"] for image in truth["images"]],
                "objects": objects,
            }
        )
        table.to_parquet(folder / "per_image.parquet")
    return tmp_path, truth


def test_detections_stand_beside_what_is_annotated(detected):
    root, truth = detected
    (gallery,) = galleries.galleries(of_folder(root / "toy"))
    assert gallery.columns == ["annotated", *NAMES] and len(gallery.rows) == 3  # three show two objects
    for annotated, one, other in gallery.rows:
        # scores are drawn, too: the boxes and masks are the same, the other backbone is sure of nothing
        assert np.abs(pixels(annotated) - pixels(one)).mean() < 20
        assert other.alt.endswith(": nothing") and "90" in one.alt
        assert annotated.width == galleries.WIDTH
    first = next(image for image in truth["images"] if image["file_name"] in gallery.rows[0][0].alt)
    entry = next(a for a in truth["annotations"] if a["image_id"] == first["id"])
    x, y, width, height = entry["bbox"]
    scale = galleries.WIDTH / first["width"]
    middle = pixels(gallery.rows[0][0])[round((y + height / 2) * scale), round((x + width / 2) * scale)]
    bare = COLOURS[("red", "green")[entry["category_id"] // 3]]
    mask = galleries._colour(entry["category_id"])
    expected = 0.6 * np.array(bare) + 0.4 * np.array(mask)
    assert np.abs(middle - expected).max() < 45  # the object under its mask, to JPEG's precision


def test_the_same_cells_give_the_same_bytes(detected):
    root, _ = detected
    assert galleries.galleries(of_folder(root / "toy")) == galleries.galleries(of_folder(root / "toy"))


def test_segmentations_have_a_colour_for_each_class(tmp_path):
    data = write_ade20k(tmp_path / "ade", {"training": 2, "test": 3}, 48)
    for name in NAMES:
        folder = cell(tmp_path, name, "segmentation", data)
        (folder / "predictions").mkdir()
        for label in (data / "annotations" / "test").iterdir():
            classes = np.asarray(Image.open(label))
            said = classes if name == "one" else np.full_like(classes, 2)
            Image.fromarray(said).save(folder / "predictions" / label.name)
    (gallery,) = galleries.galleries(of_folder(tmp_path / "toy"))
    assert gallery.columns == ["image", "annotated", *NAMES] and len(gallery.rows) == 3
    for _, annotated, one, other in gallery.rows:
        assert (pixels(annotated) == pixels(one)).all() and not (pixels(one) == pixels(other)).all()
        assert np.abs(pixels(other).mean(axis=(0, 1)) - galleries._colour(2)).max() < 3
    assert gallery.notes == ["Annotated classes: a, b, c."]
    for other in tmp_path.rglob("images/*/*.*"):
        other.unlink()
    assert galleries.galleries(of_folder(tmp_path / "toy")) == []


@pytest.fixture
def classified(tmp_path):
    draw_images(tmp_path / "data")
    paths = sorted(
        str(path.relative_to(tmp_path / "data")) for path in (tmp_path / "data" / "test").rglob("*.*")
    )
    labels = [sorted({path.split("/")[1] for path in paths}).index(path.split("/")[1]) for path in paths]
    return tmp_path, paths, np.array(labels)


def test_disagreements_favour_nobody(classified):
    root, paths, labels = classified
    for number, name in enumerate(NAMES):
        right = np.arange(len(paths)) % 2 == number
        table = {
            "path": paths,
            "label": labels,
            "prediction": np.where(right, labels, (labels + 1) % 3),
            "correct": right,
            "probability": np.where(right, 0.9, 0.2),
        }
        folder = cell(root, name, "linear_probe", root / "data")
        pandas.DataFrame(table).to_parquet(folder / "per_image.parquet")
    (gallery,) = galleries.galleries(of_folder(root / "toy"))
    assert len(gallery.rows) == galleries.DISAGREEMENTS
    won = [sum("(right;" in row[2 + number] for row in gallery.rows) for number in range(2)]
    assert won == [4, 4] and all(row[1] in ("blue", "green", "red") for row in gallery.rows)


def test_neighbours_are_framed_by_their_class(classified):
    root, paths, labels = classified
    for name in NAMES:
        same = [[p for p, m in zip(paths, labels, strict=True) if m == label][:5] for label in labels]
        other = [[p for p, m in zip(paths, labels, strict=True) if m != label][:5] for label in labels]
        table = {"path": paths, "label": labels, "nearest": same if name == "one" else other}
        folder = cell(root, name, "retrieval", root / "data")
        pandas.DataFrame(table).to_parquet(folder / "per_image.parquet")
    (gallery,) = galleries.galleries(of_folder(root / "toy"))
    for _, one, other in gallery.rows:
        assert "3 of 3 of the query's class" in one.alt and "0 of 3" in other.alt
        (_, green, _), (red, *_) = pixels(one)[1, 1], pixels(other)[1, 1]
        assert green > 90 and red > 130


@pytest.mark.parametrize("harm", ["outside", "torn", "gone", "moved"])
def test_hostile_torn_and_missing_files_are_left_out(detected, harm):
    root, _ = detected
    file = root / "toy" / "one" / "detection" / "seed0" / "per_image.parquet"
    if harm == "outside":
        Image.new("RGB", (64, 64)).save(root / "secret.jpg")
        table = pandas.read_parquet(file)
        table.assign(file_name="../../secret.jpg").to_parquet(file)
    elif harm == "torn":
        file.write_bytes(b"PAR1 torn")
    elif harm == "gone":
        (file.parent / "detections.segm.json").unlink()
    else:
        (root / "coco").rename(root / "elsewhere")
    assert galleries.galleries(of_folder(root / "toy")) == []
