"""Cells that two processes compute together: one record, of test images each of which counts once."""

import json
import os

import pandas as pd
import pytest
from dense_data import SMALL_CLASSIFIER, SMALL_DETECTOR, SMALL_SEGMENTOR, write_ade20k, write_coco

from benchmark.cli import main

TEST_IMAGES = 5  # an odd number: one of two processes has fewer
CELLS = {
    "detection/demo_mask_rcnn.py": (SMALL_DETECTOR, "demo_coco", ("train", "val", "test"), write_coco),
    "segmentation/demo_deeplabv3.py": (
        SMALL_SEGMENTOR,
        "demo_ade20k",
        ("training", "validation", "test"),
        write_ade20k,
    ),
    "classification/demo_multilabel.py": (
        SMALL_CLASSIFIER,
        "demo_coco",
        ("train", "val", "test"),
        write_coco,
    ),
}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def run(config, root, *options):
    overrides, name, splits, write = CELLS[config]
    if not (root / "data").exists():
        write(root / "data", dict(zip(splits, (6, 2, TEST_IMAGES), strict=True)), 48)
    arguments = ["run", config, "--backbone", "random:vit_nano_conv16", "--data", f"{name}={root / 'data'}"]
    for key, value in overrides.items():
        arguments += ["--set", f"{key}={value}"]
    return main([*arguments, "--results", str(root / "results"), "--processes", "2", *options])


@pytest.mark.slow
@pytest.mark.parametrize("config", CELLS)
def test_two_processes_leave_one_record(tmp_path, config, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(config, tmp_path) == 0
    (file,) = tmp_path.glob("results/**/record.json")
    record = json.loads(file.read_text())
    assert record["status"] == "done" and record["details"]["processes"] == 2
    assert record["details"]["batch_size"] == CELLS[config][0]["train_dataloader.batch_size"]
    images = pd.read_parquet(file.parent / "per_image.parquet")
    assert len(images) == images.iloc[:, 0].nunique() == TEST_IMAGES
    assert not (file.parent / "progress.json").exists() and not (file.parent / "order.json").exists()
    assert sorted(os.listdir(tmp_path)) == ["data", "results"], "nothing is left in the working directory"


@pytest.mark.slow
def test_what_goes_wrong_in_one_of_them_is_one_failed_record(tmp_path):
    """A loss that is no number: both stop, and the record says so."""
    config = "detection/demo_mask_rcnn.py"
    options = [f"optim_wrapper.optimizer.{name}=1e3" for name in ("lr", "weight_decay")]
    assert run(config, tmp_path, *(word for option in options for word in ("--set", option))) == 1
    (file,) = tmp_path.glob("results/**/record.json")
    record = json.loads(file.read_text())
    assert record["status"] == "failed"
    assert (
        "FloatingPointError: the loss is " in record["error"] and "lower the learning rate" in record["error"]
    )
    assert not list(tmp_path.glob("results/**/*.pth"))


def test_a_task_that_one_process_computes_is_not_shared(tmp_path, capsys):
    (tmp_path / "data").mkdir()
    config = "classification/demo_linear_probe.py"
    arguments = ["run", config, "--backbone", "random:vit_nano_conv16", "--processes", "2"]
    assert main([*arguments, "--results", str(tmp_path), "--data", f"demo_classification={tmp_path}"]) == 2
    assert "a linear_probe is computed by one process: leave --processes out" in capsys.readouterr().err
