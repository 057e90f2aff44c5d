"""The linear probe on drawn images, and with bad settings and data."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from image_data import MeanColour, draw_images
from mmengine.config import Config

from benchmark.tasks.base import TaskContext
from benchmark.tasks.linear_probe import LinearProbe, ProbeSettings
from common.configs import read_config
from common.errors import UserError
from common.settings import checked


@pytest.fixture
def probe(tmp_path, monkeypatch):
    """Runs the probe on drawn images of three colours."""
    monkeypatch.setattr("backbones.load_backbone", lambda name, seed=0: MeanColour())
    draw_images(tmp_path)

    def run(**settings):
        cfg = Config(
            {"task": dict(type="linear_probe", data="toy", workers=0, l2=(1e-4, 10.0, 6), **settings)}
        )
        context = TaskContext(cfg, tmp_path, tmp_path, "random:x", 0, lambda *a, **k: None)
        return LinearProbe().run(context)

    run.root = tmp_path
    return run


@pytest.mark.parametrize("feature", ["class_token", "patch_mean", "both"])
def test_the_probe_learns_colours(probe, feature):
    outcome = probe(feature=feature)
    top1 = outcome.metrics["top1"]
    assert outcome.primary == "top1" and top1.value == 100 and top1.n == 24 and 80 < top1.low < 95
    assert "top5" not in outcome.metrics, "with three classes top-5 says nothing"
    endings = ("", "_scaled")
    assert set(outcome.metrics) == {
        "top1", *(f"{name}{e}" for name in ("ece", "adaptive_ece", "nll", "brier") for e in endings)
    }  # fmt: skip
    assert outcome.metrics["nll"].higher_is_better is False
    assert (top1.method, top1.truth) == ("wilson over images", "population of images")
    assert outcome.details["images"] == {"train": 18, "val": 12, "test": 24}
    assert outcome.details["feature_width"] == (6 if feature == "both" else 3)
    assert [entry["l2"] for entry in outcome.details["sweep"]] == sorted(
        ProbeSettings(l2=(1e-4, 10.0, 6)).strengths()
    )[::-1]
    assert list(outcome.per_image.columns) == [
        "path",
        "label",
        "prediction",
        "correct",
        "probability",
        "probabilities",
    ]
    assert outcome.per_image["path"][0] == "test/blue/0.png" and len(outcome.per_image) == 24
    json.dumps([outcome.details, outcome.chosen])


def test_where_classes_are_the_units_the_honest_interval_is_over_them(probe):
    metrics = probe(units="classes").metrics
    assert {name for name in metrics if "top" in name} == {"top1", "top1_over_images"}
    top1, over_images = metrics["top1"], metrics["top1_over_images"]
    assert top1.value == over_images.value == 100 and (top1.n, over_images.n) == (3, 24)
    assert top1.truth == "population of classes" and top1.method.endswith("over classes")
    assert top1.low < 50 < over_images.low == probe().metrics["top1"].low


def test_one_class_in_the_test_split_has_no_interval_over_classes(probe):
    for name in ("green", "red"):
        shutil.rmtree(probe.root / "test" / name)
    top1 = probe(units="classes").metrics["top1"]
    assert (top1.low, top1.high, top1.truth, top1.n) == (None, None, None, 1)


def test_the_configs_say_what_is_independent():
    folder = Path(__file__).parents[3] / "task_configs" / "classification"
    for path in folder.glob("*.py"):
        units = read_config(path).task.get("units")
        expected = "classes" if path.stem.startswith("demo_") else "images"
        fixed = {"retrieval", "image_text", "multilabel"}  # units that the task itself decides
        if not any(word in path.stem for word in fixed):
            assert units == expected, path.stem


def test_top5_of_many_classes(tmp_path, monkeypatch):
    monkeypatch.setattr("backbones.load_backbone", lambda name, seed=0: MeanColour())
    colours = {f"c{k:02}": (20 * k, 255 - 20 * k, (90 * k) % 255) for k in range(12)}
    draw_images(tmp_path, (("train", 2), ("val", 1), ("test", 2)), colours=colours)
    cfg = Config({"task": {"type": "linear_probe", "data": "toy", "workers": 0, "l2": (1e-4, 1.0, 3)}})
    outcome = LinearProbe().run(TaskContext(cfg, tmp_path, tmp_path, "x", 0, lambda *a, **k: None))
    assert outcome.metrics["top1"].value <= outcome.metrics["top5"].value <= 100


def test_test_images_have_no_say_in_what_is_chosen(probe):
    honest = probe()
    test = probe.root / "test"
    (test / "red").rename(test / "swapped")
    (test / "blue").rename(test / "red")
    (test / "swapped").rename(test / "blue")
    poisoned = probe()
    assert poisoned.metrics["top1"].value < 50
    assert (poisoned.chosen, poisoned.details) == (honest.chosen, honest.details)


def test_a_choice_at_the_edge_of_the_grid_is_noted(probe):
    assert (
        any("edge of the grid" in note for note in probe(hold_out=0.5).notes)
        or 1e-4 < probe().chosen["l2"] < 10
    )
    narrow = Config({"task": {"type": "linear_probe", "data": "toy", "workers": 0, "l2": (10.0, 20.0, 2)}})
    context = TaskContext(narrow, probe.root, probe.root, "x", 0, lambda *a, **k: None)
    assert any("edge of the grid" in note for note in LinearProbe().run(context).notes)


def test_no_validation_split_needs_no_folder(probe):
    shutil.rmtree(probe.root / "val")
    outcome = probe(val=None, hold_out=0.34)
    assert outcome.details["images"] == {"train": 12, "val": 6, "test": 24}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"units": "class"}, "did you mean classes"),
        ({"featur": "both"}, "did you mean feature"),
        ({"feature": "pixels"}, "feature"),
        ({"feature": []}, "name at least one"),
        ({"init": "transfer", "feature": "both"}, "is for feature='class_token'"),
        ({"test": "val"}, "cannot both choose and judge"),
        ({"val": None, "hold_out": 0}, "hold_out"),
    ],
)
def test_impossible_settings(probe, settings, message):
    with pytest.raises(UserError, match=message):
        probe(**settings)


def test_an_impossible_grid():
    with pytest.raises(UserError, match=r"task linear_probe: l2=.*smallest > 0"):
        checked(ProbeSettings, {"l2": (0, 1, 5)}, "task linear_probe")


def test_a_missing_split_is_named(probe):
    with pytest.raises(UserError, match=r"holdout does not exist"):
        probe(test="holdout")


def test_per_image_results_are_a_table(probe, tmp_path):
    table = probe().per_image
    table.to_parquet(tmp_path / "x.parquet", index=False)
    again = pd.read_parquet(tmp_path / "x.parquet")
    assert again["correct"].dtype == bool and again["probability"].between(0, 1).all()


def test_of_several_kinds_of_feature_the_best_on_validation_is_taken(probe):
    outcome = probe(feature=["patch_mean", "both"])
    assert outcome.chosen["feature"] in {"patch_mean", "both"}
    assert {entry["feature"] for entry in outcome.details["sweep"]} == {"patch_mean", "both"}
    assert len(outcome.details["sweep"]) == 12
    width = {"patch_mean": 3, "both": 6}[outcome.chosen["feature"]]
    assert outcome.details["feature_width"] == width


def test_transfer_init_draws_the_probe_to_the_copied_rows(tmp_path, catlip):
    from backbones import load_backbone

    draw_images(tmp_path / "data", colours={"red": (210, 30, 20), "cat": (20, 40, 200), "sky": (30, 190, 40)})

    def run(**settings):
        task = dict(type="linear_probe", data="toy", workers=0, **settings)
        context = TaskContext(
            Config({"task": task}), tmp_path / "data", tmp_path, catlip, 0, lambda *a, **k: None
        )
        return LinearProbe().run(context)

    outcome = run(init="transfer", l2=(1e7, 1e8, 2))
    assert outcome.details["transfer_init"]["labels"]["exact"] == 3
    source = load_backbone(catlip).synset_classifier
    assert source is not None
    plain, again = run(l2=(1e-3, 1e-3, 1)), run(init="transfer", l2=(1e-9, 1e-9, 1))
    assert plain.metrics["top1"].value == again.metrics["top1"].value == 100
    assert "transfer_init" not in plain.details


def test_a_share_of_the_training_images_can_be_used(probe):
    outcome = probe(fraction=0.5, draw=1)
    assert outcome.details["images"] == {"train": 9, "val": 12, "test": 24}
