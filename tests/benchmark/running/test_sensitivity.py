"""What a plan says of a task's test set before anything is run."""

from __future__ import annotations

import pytest
from dense_data import write_ade20k, write_coco
from image_data import draw_images

from benchmark.running.sensitivity import sentence
from benchmark.statistics import coverage
from benchmark.suites.cell import load_task_config


@pytest.fixture(autouse=True)
def simulated(monkeypatch):
    rows = [("A", 100, 0.0, 95.0, 8.0)]
    monkeypatch.setattr(coverage, "_table", lambda: {f"difference of {n}": rows for n in ("mAP", "mIoU")})


def test_images_and_classes_are_counted_in_the_split_that_judges(tmp_path):
    draw_images(tmp_path)
    probe = load_task_config("classification/linear_probe.py", data=["pets"])
    said = sentence(probe, tmp_path)
    assert said.startswith("24 test images find a difference of ") and "80 %" in said
    over_classes = load_task_config("classification/demo_linear_probe.py")
    assert sentence(over_classes, tmp_path).startswith("3 test classes")


def test_dense_tasks_count_images(tmp_path):
    coco = write_coco(tmp_path / "coco", {"train": 2, "val": 2, "test": 3}, 64)
    assert sentence(load_task_config("detection/demo_mask_rcnn.py"), coco).startswith("3 test images")
    ade20k = write_ade20k(tmp_path / "ade", {"training": 2, "validation": 2, "test": 5}, 48)
    assert sentence(load_task_config("segmentation/demo_deeplabv3.py"), ade20k).startswith("5 test images")


def test_nothing_is_said_of_what_is_not_there(tmp_path):
    for config in ("classification/linear_probe.py", "classification/retrieval.py"):
        assert sentence(load_task_config(config, data=["pets"]), tmp_path / "none") is None
    assert sentence(load_task_config("detection/demo_mask_rcnn.py"), tmp_path) is None
    assert sentence(load_task_config("segmentation/demo_deeplabv3.py"), tmp_path) is None
