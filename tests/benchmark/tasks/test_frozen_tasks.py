"""k-NN, few-shot and retrieval on drawn images, and with bad settings and data."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from image_data import MeanColour, draw_images
from mmengine.config import Config

from benchmark.tasks import load_task, task_type
from benchmark.tasks.base import TaskContext
from common.errors import UserError
from common.progress import silent


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr("backbones.load_backbone", lambda name, seed=0: MeanColour())
    draw_images(tmp_path)

    def act(kind, **settings):
        cfg = Config({"task": dict(type=kind, data="toy", workers=0, **settings)})
        return load_task(kind).run(TaskContext(cfg, tmp_path, tmp_path, "x", 0, silent))

    act.root = tmp_path
    return act


def test_neighbours_tell_colours_apart_and_validation_chooses_how_many(run):
    outcome = run("knn", k=(1, 5))
    assert outcome.primary == "top1_k1" and outcome.chosen == {"k": 1}, "of equals the first"
    assert outcome.metrics["top1_k1"].value == outcome.metrics["top1_k5"].value == 100
    assert outcome.details["val_top1"] == {"1": 100.0, "5": 100.0}
    assert outcome.per_image["correct"].all() and not outcome.notes
    json.dumps([outcome.details, outcome.chosen])
    (note,) = run("knn", k=(5, 40)).notes
    assert note == "k=40: there are 18 training images only"


def test_test_images_have_no_say_in_how_many_neighbours(run):
    honest = run("knn", k=(1, 5))
    shutil.move(run.root / "test" / "red", run.root / "test" / "swapped")
    shutil.move(run.root / "test" / "blue", run.root / "test" / "red")
    shutil.move(run.root / "test" / "swapped", run.root / "test" / "blue")
    poisoned = run("knn", k=(1, 5))
    assert poisoned.metrics["top1_k1"].value < 50 and poisoned.chosen == honest.chosen


def test_few_shots_are_drawn_several_times_and_averaged(run):
    outcome = run("fewshot", shots=(1, 4), draws=3)
    assert outcome.primary == "top1_4_shots" and outcome.also == ["top1_1_shots"]
    for number in (1, 4):
        details = outcome.details[f"{number} shots"]
        assert len(details["top1_of_draws"]) == 3 and details["l2"] in (1.0, 0.1, 0.01, 0.001)
        metric = outcome.metrics[f"top1_{number}_shots"]
        assert metric.value == pytest.approx(np.mean(details["top1_of_draws"]))
        assert metric.low <= metric.value <= metric.high and metric.truth == "population of images"
        assert outcome.per_image[f"correct_{number}"].between(0, 1).all()
    assert outcome.metrics["top1_4_shots"].value > 90 and not outcome.notes
    json.dumps(outcome.details)
    (note,) = run("fewshot", shots=(4, 16), draws=1).notes
    assert "6 training images only: at 16 shots" in note


def test_few_shots_can_start_from_the_copied_rows(tmp_path, catlip):
    colours = {"red": (210, 30, 20), "cat": (20, 40, 200), "sky": (30, 190, 40)}
    draw_images(tmp_path / "data", colours=colours)
    task = {"type": "fewshot", "data": "toy", "workers": 0, "shots": (1,), "draws": 2, "init": "transfer"}
    context = TaskContext(Config({"task": task}), tmp_path / "data", tmp_path, catlip, 0, silent)
    outcome = load_task("fewshot").run(context)
    assert outcome.details["transfer_init"]["labels"]["exact"] == 3


def test_images_of_a_colour_find_each_other(run):
    outcome = run("retrieval")
    assert outcome.primary == "mAP" and outcome.metrics["R@1"].value == 100
    assert outcome.metrics["mAP"].value > 95 and outcome.metrics["mAP"].truth == "population of classes"
    assert outcome.details["images"] == {"test": 24, "alone": 0}
    first = outcome.per_image.iloc[0]
    assert len(first["nearest"]) == 5 and first["path"] not in first["nearest"]
    for path in sorted((run.root / "test" / "red").iterdir())[1:]:
        path.unlink()
    outcome = run("retrieval")
    assert outcome.details["images"]["alone"] == 1 and "alone in their class" in outcome.notes[0]
    assert outcome.per_image["average_precision"].isna().sum() == 1


def test_when_nothing_can_be_found_it_is_said(run):
    for name in ("blue", "green", "red"):
        for path in sorted((run.root / "test" / name).iterdir())[1:]:
            path.unlink()
    with pytest.raises(UserError, match="every test image is alone in its class"):
        run("retrieval")


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("knn", {"k": ()}, "at least one number of neighbours"),
        ("knn", {"k": (0,)}, "at least one number of neighbours"),
        ("knn", {"temperature": 0}, "temperature"),
        ("fewshot", {"shots": (0,)}, "above zero"),
        ("fewshot", {"draws": 0}, "draws"),
        ("retrieval", {"test": "train"}, "cannot both train and judge"),
    ],
)
def test_impossible_settings_are_refused_by_name(run, kind, settings, message):
    with pytest.raises(UserError, match=message):
        run(kind, **settings)


@pytest.mark.parametrize("kind", ["knn", "fewshot", "retrieval", "trained_probe"])
def test_they_read_what_the_linear_probe_reads(kind):
    assert task_type(kind).layout == "image_folder" and "feature" in task_type(kind).axes


def test_a_probe_can_be_trained_as_papers_do(run):
    outcome = run("trained_probe", epochs=40, batch_size=5, lr=0.1)
    assert outcome.metrics["top1"].value == 100 and outcome.chosen == {}
    assert outcome.details["steps"] == 40 * 4 and "nll_scaled" in outcome.metrics
    again = run("trained_probe", epochs=40, batch_size=5, lr=0.1)
    assert again.per_image.equals(outcome.per_image), "deterministic"
    small = run("trained_probe", epochs=1)
    assert small.metrics["nll"].value > outcome.metrics["nll"].value
    with pytest.raises(UserError, match="epochs"):
        run("trained_probe", epochs=0)


def test_with_no_step_worth_the_name_transfer_init_is_the_pre_trained_classifier(tmp_path, catlip):
    from backbones import load_backbone

    colours = {"red": (210, 30, 20), "cat": (20, 40, 200), "sky": (30, 190, 40)}
    draw_images(tmp_path / "data", colours=colours)
    task = {"type": "trained_probe", "data": "toy", "workers": 0, "init": "transfer", "epochs": 1}
    cfg = Config({"task": {**task, "lr": 1e-12, "min_lr": 0.0}})
    outcome = load_task("trained_probe").run(TaskContext(cfg, tmp_path / "data", tmp_path, catlip, 0, silent))
    vit = load_backbone(catlip)
    names = [match["class_name"] for match in outcome.details["transfer_init"]["matches"]]
    assert names == ["cat.n.01", "red.n.01", "sky.n.01"] and vit.synset_classifier is not None
    assert len(outcome.per_image) == 24
