"""Accuracy and its intervals over images and over classes."""

import numpy as np
import pytest

from benchmark.metrics import accuracy
from benchmark.statistics.proportions import cluster_interval, wilson_interval


@pytest.fixture
def scored():
    """Labels and probabilities of 12 classes, some wrong."""
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(12), 10)
    logits = 2.0 * np.eye(12)[labels] + generator.normal(size=(120, 12))
    return labels, np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


def test_hits_are_the_likeliest_and_among_the_five_likeliest(scored):
    labels, probabilities = scored
    found = accuracy.hits(labels, probabilities)
    order = np.argsort(-probabilities, axis=1)
    assert np.array_equal(found["top1"], order[:, 0] == labels)
    assert np.array_equal(found["top5"], (order[:, :5] == labels[:, None]).any(1))
    assert found["top1"].sum() < found["top5"].sum() < 120
    assert list(accuracy.hits(labels % 9, probabilities[:, :9])) == ["top1"]  # top-5 of nine says little


def test_over_images_the_interval_is_wilsons(scored):
    labels, probabilities = scored
    metrics = accuracy.measure(labels, probabilities)
    assert set(metrics) == {"top1", "top5"}
    hits = int(accuracy.hits(labels, probabilities)["top1"].sum())
    low, high = wilson_interval(hits, 120)[1:3]
    top1 = metrics["top1"]
    assert (top1.value, top1.low, top1.high) == (100 * (hits / 120), 100 * low, 100 * high)
    assert (top1.n, top1.method, top1.truth) == (120, "wilson over images", "population of images")


def test_over_classes_both_intervals_are_given(scored):
    labels, probabilities = scored
    metrics = accuracy.measure(labels, probabilities, "classes")
    assert set(metrics) == {"top1", "top1_over_images", "top5", "top5_over_images"}
    assert metrics["top1_over_images"] == accuracy.measure(labels, probabilities)["top1"]
    interval = cluster_interval(accuracy.hits(labels, probabilities)["top1"], labels)
    top1 = metrics["top1"]
    assert (top1.low, top1.high, top1.n) == (100 * interval.low, 100 * interval.high, 12)
    assert (top1.method, top1.truth) == ("wilson (effective sample) over classes", "population of classes")
    assert top1.coverage is not None


def test_one_class_alone_has_no_interval_over_classes(scored):
    labels, probabilities = (values[:10] for values in scored)
    top1 = accuracy.measure(labels, probabilities, "classes")["top1"]
    assert (top1.low, top1.high, top1.truth, top1.n) == (None, None, None, 1)


def test_a_row_for_every_image(scored):
    labels, probabilities = scored
    table = accuracy.per_image([f"{number}.jpg" for number in range(120)], labels, probabilities)
    assert list(table.columns) == ["path", "label", "prediction", "correct", "probability", "probabilities"]
    assert np.array_equal(np.stack(table["probabilities"]), probabilities.astype(np.float32))
    assert table["correct"].dtype == bool
    assert (table["correct"] == (table["label"] == table["prediction"])).all()
    assert table["probability"][7] == probabilities[7, labels[7]] and table["path"][7] == "7.jpg"


def test_of_many_classes_the_labels_probability_alone_is_kept(scored, monkeypatch):
    labels, probabilities = scored
    monkeypatch.setattr(accuracy, "ALL_PROBABILITIES", 11)
    table = accuracy.per_image(["a.jpg"] * 120, labels, probabilities)
    assert list(table.columns) == ["path", "label", "prediction", "correct", "probability"]
