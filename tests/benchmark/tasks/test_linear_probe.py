"""The linear probe: against scikit-learn, on drawn images, and with bad data."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from torch import nn

from backbones.vit import Preprocessing, Tokens
from benchmark.data.image_folder import batches, hold_out, read_split
from benchmark.heads.logistic import fit
from benchmark.tasks.base import TaskContext
from benchmark.tasks.linear_probe import LinearProbe, Settings, Standardiser, calibrate, choose
from common.errors import UserError

COLOURS = {"blue": (20, 40, 200), "green": (30, 190, 40), "red": (210, 30, 20)}


class MeanColour(nn.Module):
    """A backbone whose class token is the mean colour and whose patches are the picture."""

    preprocessing = Preprocessing(size=16)

    def forward(self, images: torch.Tensor) -> Tokens:
        return Tokens(images.mean((2, 3)), images)


def draw_images(root, counts=(("train", 6), ("val", 4), ("test", 8)), size=(20, 16)) -> None:
    random = np.random.default_rng(0)
    for split, count in counts:
        for name, colour in COLOURS.items():
            folder = root / split / name
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                pixels = np.asarray(colour) + random.normal(0, 25, (*size, 3))
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")


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


def test_random_stems_are_calibrated_on_training_images(tmp_path, monkeypatch):
    from backbones import load_backbone

    draw_images(tmp_path)
    vit = load_backbone("random:vit_nano_conv16")
    train = read_split(tmp_path, "train")
    for split in ("val", "test"):  # nothing else is read
        shutil.rmtree(tmp_path / split)
    monkeypatch.setattr("benchmark.tasks.linear_probe.CALIBRATION_IMAGES", 4)
    calibrate(vit, train, 0, "cpu")
    some = train.subset(np.array([0, 6, 11, 17]))  # evenly over the classes
    pixels = torch.cat([pixels for pixels, _ in batches(some, vit.preprocessing, 4, 0)])
    embed = vit.trunk.patch_embed
    with torch.no_grad():
        torch.testing.assert_close(embed.norm1.running_mean, embed.conv1(pixels).mean((0, 2, 3)))


def test_calibration_sees_how_classes_differ(tmp_path, monkeypatch):
    """Images come class by class: in batches of neighbours the variance between classes would be lost."""
    from backbones import load_backbone

    draw_images(tmp_path, (("train", 12),))
    vit = load_backbone("random:vit_nano_conv16")
    train = read_split(tmp_path, "train")
    monkeypatch.setattr("benchmark.tasks.linear_probe.CALIBRATION_BATCH", 12)
    calibrate(vit, train, 0, "cpu")
    pixels = torch.cat([pixels for pixels, _ in batches(train, vit.preprocessing, 36, 0)])
    embed = vit.trunk.patch_embed
    with torch.no_grad():
        whole = embed.conv1(pixels).var((0, 2, 3))
    assert ((embed.norm1.running_var / whole - 1).abs() < 0.25).all()


@pytest.mark.parametrize("l2", [1.0, 1e-2, 1e-4])
def test_the_solver_is_scikit_learns(l2):
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(0)
    labels = np.arange(150) % 5
    features = random.normal(size=(5, 12))[labels] + random.normal(size=(150, 12))
    theirs = LogisticRegression(C=1 / (l2 * len(labels)), tol=1e-10, max_iter=10_000).fit(features, labels)
    ours = fit(torch.from_numpy(features), torch.from_numpy(labels), 5, l2)
    assert ours.converged
    assert (
        np.abs(ours.probabilities(torch.from_numpy(features)).numpy() - theirs.predict_proba(features)).max()
        < 1e-3
    )
    assert np.abs(ours.weight.numpy().T - theirs.coef_).max() < 1e-3
    # a bias shared by all classes changes nothing
    ours_bias = ours.bias.numpy() - ours.bias.numpy().mean()
    assert np.abs(ours_bias - (theirs.intercept_ - theirs.intercept_.mean())).max() < 1e-3


def test_a_warm_start_and_float32_and_blocks_of_rows_change_nothing(monkeypatch):
    torch.manual_seed(0)
    labels = torch.arange(90) % 3
    features = torch.randn(3, 6, dtype=torch.float64)[labels] + torch.randn(90, 6, dtype=torch.float64)
    cold = fit(features, labels, 3, 1e-3)
    warm = fit(features, labels, 3, 1e-3, start=fit(features, labels, 3, 1.0))
    single = fit(features.float(), labels, 3, 1e-3)
    monkeypatch.setattr("benchmark.heads.logistic.ROWS", 7)
    blocks = fit(features, labels, 3, 1e-3)
    for other in (warm, single, blocks):
        assert other.converged
        assert torch.allclose(
            other.probabilities(features.to(other.weight)).double(), cold.probabilities(features), atol=2e-3
        )


def test_the_solver_leaves_its_start_and_the_thread_count_alone():
    labels = torch.arange(30) % 3
    features = torch.randn(30, 4, dtype=torch.float64)
    start = fit(features, labels, 3, 1.0)
    weight, threads = start.weight.clone(), torch.get_num_threads()
    fit(features, labels, 3, 1e-3, start=start)
    assert torch.equal(start.weight, weight) and torch.get_num_threads() == threads


def test_features_that_are_no_numbers_are_an_error():
    features = torch.randn(9, 2, dtype=torch.float64)
    features[3, 1] = float("nan")
    with pytest.raises(FloatingPointError, match="not finite"):
        fit(features, torch.arange(9) % 3, 3, 1e-3)


def test_standardising_uses_the_training_images_alone_and_survives_dead_features():
    train = torch.tensor([[0.0, 5.0], [2.0, 5.0 + 1e-12]], dtype=torch.float64)
    scale = Standardiser(train)
    assert torch.allclose(scale(train)[:, 0], torch.tensor([-1.0, 1.0], dtype=torch.float64))
    assert scale(train)[:, 1].abs().max() < 1e-9
    assert scale(torch.tensor([[4.0, 5.0]], dtype=torch.float64))[0, 0] == 3


@pytest.mark.parametrize("feature", ["class_token", "patch_mean", "both"])
def test_the_probe_learns_colours(probe, feature):
    outcome = probe(feature=feature)
    top1 = outcome.metrics["top1"]
    assert outcome.primary == "top1" and top1.value == 100 and top1.n == 24 and 80 < top1.low < 95
    assert "top5" not in outcome.metrics, "with three classes top-5 says nothing"
    assert set(outcome.metrics) == {"top1"}
    assert (top1.method, top1.truth) == ("wilson over images", "population of images")
    assert outcome.details["images"] == {"train": 18, "val": 12, "test": 24}
    assert outcome.details["feature_width"] == (6 if feature == "both" else 3)
    assert [entry["l2"] for entry in outcome.details["sweep"]] == sorted(
        Settings(l2=(1e-4, 10.0, 6)).strengths()
    )[::-1]
    assert list(outcome.per_image.columns) == ["path", "label", "prediction", "correct", "probability"]
    assert outcome.per_image["path"][0] == "test/blue/0.png" and len(outcome.per_image) == 24
    json.dumps([outcome.details, outcome.chosen])


def test_where_classes_are_the_units_the_honest_interval_is_over_them(probe):
    metrics = probe(units="classes").metrics
    assert set(metrics) == {"top1", "top1_over_images"}
    top1, over_images = metrics["top1"], metrics["top1_over_images"]
    assert top1.value == over_images.value == 100 and (top1.n, over_images.n) == (3, 24)
    assert top1.truth == "population of classes" and top1.method.endswith("over classes")
    assert top1.low < 50 < over_images.low == probe().metrics["top1"].low


def test_one_class_in_the_test_split_has_no_interval_over_classes(probe):
    import shutil

    for name in ("green", "red"):
        shutil.rmtree(probe.root / "test" / name)
    top1 = probe(units="classes").metrics["top1"]
    assert (top1.low, top1.high, top1.truth, top1.n) == (None, None, None, 1)


def test_the_configs_say_what_is_independent():
    from pathlib import Path

    from common.configs import read_config

    folder = Path(__file__).parents[3] / "task_configs" / "classification"
    units = {path.stem: read_config(path, {}).task.units for path in folder.glob("*.py")}
    assert units == {"demo_linear_probe": "classes", "imagenet1k_linear_probe": "images"}


def test_top5_of_many_classes(tmp_path, monkeypatch):
    monkeypatch.setattr("backbones.load_backbone", lambda name, seed=0: MeanColour())
    colours = {f"c{k:02}": (20 * k, 255 - 20 * k, (90 * k) % 255) for k in range(12)}
    monkeypatch.setitem(globals(), "COLOURS", colours)
    draw_images(tmp_path, (("train", 2), ("val", 1), ("test", 2)))
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


def test_the_choice_is_the_best_on_validation_and_the_stronger_of_equals():
    torch.manual_seed(0)
    labels = np.arange(60) % 3
    centres = torch.randn(3, 5, dtype=torch.float64)
    train = centres[labels] + torch.randn(60, 5, dtype=torch.float64)
    val = centres[labels] + torch.randn(60, 5, dtype=torch.float64)
    settings = Settings(l2=(1e-6, 10.0, 8))
    chosen, sweep = choose(train, labels, val, labels, settings, lambda *a: None)
    best = max(sweep["tried"], key=lambda entry: (entry["val_top1"], -entry["val_loss"], entry["l2"]))
    assert chosen == best["l2"] and len(sweep["tried"]) == 8


def test_a_choice_at_the_edge_of_the_grid_is_noted(probe):
    assert (
        any("edge of the grid" in note for note in probe(hold_out=0.5).notes)
        or 1e-4 < probe().chosen["l2"] < 10
    )
    narrow = Config({"task": {"type": "linear_probe", "data": "toy", "workers": 0, "l2": (10.0, 20.0, 2)}})
    context = TaskContext(narrow, probe.root, probe.root, "x", 0, lambda *a, **k: None)
    assert any("edge of the grid" in note for note in LinearProbe().run(context).notes)


def test_validation_can_be_held_out_of_training_and_depends_on_the_seed(tmp_path):
    draw_images(tmp_path, (("train", 10),))
    images = read_split(tmp_path, "train")
    kept, held = hold_out(images, 0.2, seed=0)
    assert not set(kept.paths) & set(held.paths) and len(kept) == 24 and len(held) == 6
    assert np.bincount(held.labels).tolist() == [2, 2, 2]
    assert hold_out(images, 0.2, seed=0)[1].paths == held.paths != hold_out(images, 0.2, seed=1)[1].paths
    assert np.bincount(hold_out(images, 0.001, seed=0)[1].labels).tolist() == [1, 1, 1]


def test_no_validation_split_needs_no_folder(probe):
    import shutil

    shutil.rmtree(probe.root / "val")
    outcome = probe(val=None, hold_out=0.34)
    assert outcome.details["images"] == {"train": 12, "val": 6, "test": 24}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"units": "class"}, "did you mean classes"),
        ({"featur": "both"}, "did you mean feature"),
        ({"feature": "pixels"}, "known: both"),
        ({"test": "val"}, "cannot both choose and judge"),
        ({"val": None, "hold_out": 0}, "hold_out"),
    ],
)
def test_impossible_settings(probe, settings, message):
    with pytest.raises(UserError, match=message):
        probe(**settings)


def test_an_impossible_grid():
    with pytest.raises(UserError, match="smallest > 0"):
        Settings.from_config({"l2": (0, 1, 5)})


def test_an_empty_class_is_named(probe):
    (probe.root / "train" / "empty").mkdir()
    with pytest.raises(UserError, match=r"train/empty holds no images"):
        probe()


def test_a_class_without_training_images_is_named(probe):
    (probe.root / "test" / "red").rename(probe.root / "test" / "rde")
    with pytest.raises(UserError, match=r"test/rde: class 'rde' has no training images"):
        probe()


def test_a_missing_split_is_named(probe):
    with pytest.raises(UserError, match=r"holdout does not exist"):
        probe(test="holdout")


def test_images_without_class_folders_are_told(probe):
    flat = probe.root / "flat"
    flat.mkdir()
    Image.new("RGB", (8, 8)).save(flat / "a.png")
    with pytest.raises(UserError, match="has no class folders"):
        probe(test="flat")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_corrupt_image_is_named(probe, workers):
    path = probe.root / "test" / "green" / "3.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(
        UserError, match=r"green/3\.png is no readable image .*replace or remove it"
    ) as caught:
        list(batches(read_split(probe.root, "test"), MeanColour.preprocessing, 4, workers))
    assert "\n" not in str(caught.value)


def test_images_are_resized_cropped_and_normalised(tmp_path):
    folder = tmp_path / "train" / "a"
    folder.mkdir(parents=True)
    (tmp_path / "train" / "b").mkdir()
    wide = np.zeros((40, 80, 3), np.uint8)
    wide[:, 20:60] = 255  # the centre square is white
    Image.fromarray(wide).save(folder / "wide.png")
    Image.new("L", (10, 10), 128).save(tmp_path / "train" / "b" / "grey.png")
    (folder / ".hidden.png").write_text("no image")
    (folder / "notes.txt").write_text("no image")
    preprocessing = Preprocessing(size=8, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), interpolation="bicubic")
    pixels, indices = next(batches(read_split(tmp_path, "train"), preprocessing, 4, 0))
    assert pixels.shape == (2, 3, 8, 8) and indices.tolist() == [0, 1]
    assert pixels[0, :, :, 1:-1].min() > 0.9 and pixels[1].abs().max() < 0.01
    squashed = replace(preprocessing, resize_mode="squash")
    pixels, _ = next(batches(read_split(tmp_path, "train"), squashed, 4, 0))
    assert (
        pixels[0, :, :, 3:5].min() > 0.9 and pixels[0, :, :, [0, -1]].max() < -0.9
    )  # the black sides are in


def test_a_backbone_that_gives_no_numbers_is_a_failure_that_names_the_image(probe, monkeypatch):
    class Broken(MeanColour):
        def forward(self, images):
            tokens = super().forward(images)
            tokens.class_token[3] = float("inf")
            return tokens

    monkeypatch.setattr("backbones.load_backbone", lambda name, seed=0: Broken())
    with pytest.raises(FloatingPointError, match=r"train/blue/3\.png are not finite"):
        probe()


def test_per_image_results_are_a_table(probe, tmp_path):
    table = probe().per_image
    table.to_parquet(tmp_path / "x.parquet", index=False)
    again = pd.read_parquet(tmp_path / "x.parquet")
    assert again["correct"].dtype == bool and again["probability"].between(0, 1).all()
