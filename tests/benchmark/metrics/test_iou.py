"""IoU from pixel counts, against MMSegmentation's own metric."""

import numpy as np
import pytest
import torch

from benchmark.metrics import iou


def test_counts_give_what_mmsegmentation_computes():
    from mmseg.evaluation import IoUMetric

    generator = np.random.default_rng(0)
    pairs, rows = [], []
    for _ in range(6):
        label = generator.integers(0, 5, (20, 30))
        label[generator.random(label.shape) < 0.1] = 255
        prediction = np.where(
            generator.random(label.shape) < 0.6, label, generator.integers(0, 5, label.shape)
        )
        prediction[prediction == 255] = 0
        rows.append(iou.count(prediction, label, 6))  # class 5 is nowhere
        pairs.append(IoUMetric.intersect_and_union(torch.tensor(prediction), torch.tensor(label), 6, 255))
    totals = [sum(column) for column in zip(*pairs, strict=True)]
    theirs = IoUMetric.total_area_to_metrics(*totals)
    counts = iou.stack_counts([f"{number}.jpg" for number in range(6)], rows)
    ours = iou.measure(counts)
    assert ours["mIoU"].value == pytest.approx(100 * np.nanmean(theirs["IoU"]), abs=1e-4)
    assert ours["mAcc"].value == pytest.approx(100 * np.nanmean(theirs["Acc"]), abs=1e-4)
    assert ours["aAcc"].value == pytest.approx(100 * theirs["aAcc"], abs=1e-4)
    assert np.isnan(iou.class_iou(counts)[5])
    assert iou.measure(counts) == ours
    assert ours["mIoU"].low < ours["mIoU"].high and ours["mIoU"].bias is not None


def test_only_kinds_the_data_declare_are_measured():
    counts = {key: np.ones((4, 3)) for key in ("intersection", "predicted", "labelled")}
    assert set(iou.measure(counts)) == {"mIoU", "mAcc", "aAcc"}
    assert set(iou.measure(counts, ["stuff"] * 3)) == {"mIoU", "mAcc", "aAcc", "mIoU_stuff"}
    assert iou.names(["stuff"] * 3) == ["mIoU", "mIoU_stuff"] and iou.names(None) == ["mIoU"]


def test_metrics_carry_the_coverage_of_sets_like_theirs():
    generator = np.random.default_rng(0)
    labelled = generator.integers(50, 200, (120, 6))
    both = labelled // 2 + generator.integers(0, 20, (120, 6))
    counts = {"intersection": both, "predicted": labelled, "labelled": labelled}
    for metric in iou.measure(counts, ["thing", "stuff"] * 3).values():
        assert 90 < metric.coverage <= 97 and metric.low < metric.value - metric.bias < metric.high
    few = iou.measure({key: values[:5] for key, values in counts.items()})
    assert {metric.coverage for metric in few.values()} == {None}


def test_counts_are_kept_in_a_file(tmp_path):
    label, prediction = np.array([[0, 1, 255]]), np.array([[0, 0, 1]])
    counts = iou.stack_counts(["a.jpg", "b.jpg"], [iou.count(prediction, label, 2)] * 2)
    assert counts["intersection"].tolist() == [[1, 0]] * 2 and counts["predicted"].tolist() == [[2, 0]] * 2
    iou.write_counts(tmp_path / "counts.npz", counts)
    again = iou.read_counts(tmp_path / "counts.npz")
    assert list(again) == ["image", *iou.COUNTED]
    assert all(np.array_equal(again[key], counts[key]) for key in again)


def test_an_image_counts_the_classes_it_shows():
    counts = iou.stack_counts(
        ["a.jpg", "b.jpg", "c.jpg"],
        [
            tuple(np.array(row) for row in rows)
            for rows in (([2, 0, 0], [2, 2, 0], [4, 0, 0]), ([0] * 3,) * 3, ([0, 3, 0], [0, 3, 0], [0, 3, 0]))
        ],
    )
    table = iou.per_image(counts)
    assert table["image"].tolist() == ["a.jpg", "b.jpg", "c.jpg"]
    assert table["pixels"].tolist() == [4, 0, 3] and table["correct"].tolist() == [2, 0, 3]
    assert table["mIoU"][0] == 25 and np.isnan(table["mIoU"][1]) and table["mIoU"][2] == 100
    assert np.isnan(iou.mean_of_classes(np.array([np.nan, np.nan])))
    assert iou.mean_of_classes(np.array([0.5, np.nan, 1.0])) == 0.75
