"""Differences of two cells from what they left on disk: against what the figures say, and from bad files."""

from __future__ import annotations

import numpy as np
import pandas
import pytest

from benchmark.metrics import iou, paired
from benchmark.metrics.ap_parts import write_parts
from benchmark.metrics.multilabel import averages
from benchmark.records.schema import BackboneInfo, DataInfo, Metric, Record, TaskInfo
from benchmark.statistics.precision import Parts

PATHS = [f"test/{index % 8}/{index}.jpg" for index in range(64)]
LABELS = np.arange(64) % 8


def record(metric="top1", truth="population of images", primary=None, protocol=1, data="d"):
    return Record(
        status="done",
        suite="toy",
        backbone=BackboneInfo(name="x", spec="run:x"),
        task=TaskInfo(name="t", type="t", config="t.py", config_digest="c", protocol=protocol),
        data=DataInfo(name="toy", path="data", digest=data),
        seed=0,
        fingerprint="f",
        command="python run_suite.py run t.py",
        started="2026-01-01T00:00:00+00:00",
        finished="2026-01-01T00:00:10+00:00",
        primary=primary or metric,
        metrics={metric: Metric(value=1.0, truth=truth)},
    )


@pytest.fixture
def cells(tmp_path):
    """Two cells' folders with a table of this column for each."""

    def make(column, first, second, metric="top1", **changes):
        found = []
        for name, values in (("first", first), ("second", second)):
            (tmp_path / name).mkdir(exist_ok=True)
            table = pandas.DataFrame({"path": PATHS, "label": LABELS, column: list(values)})
            table.to_parquet(tmp_path / name / "per_image.parquet")
            found.append((tmp_path / name, record(metric, **changes)))
        return found

    return make


@pytest.mark.parametrize(
    ("metric", "column"), [("top1", "correct"), ("top1_k5", "correct_k5"), ("R@1", "correct")]
)
def test_right_and_wrong_images_are_compared_by_mcnemar(cells, metric, column):
    first, second = LABELS < 6, LABELS % 2 == 0
    found = paired.difference(*cells(column, first, second, metric), metric)
    assert found.value == pytest.approx(100 * (first.mean() - second.mean()))
    assert found.p_equal is not None and found.freedom == 63


def test_classes_of_one_drawing_count_once(cells):
    first, second = LABELS < 6, LABELS % 2 == 0
    found = paired.difference(*cells("correct", first, second, truth="population of classes"), "top1")
    assert found.freedom == 7 and found.p_equal is None


def test_shares_ranks_and_images_that_were_not_asked(cells):
    generator = np.random.default_rng(0)
    first, second = generator.random((2, 64))
    found = paired.difference(*cells("correct_4", first, second, "top1_4_shots"), "top1_4_shots")
    assert found.value == pytest.approx(100 * np.mean(first - second))
    first[:4] = second[:4] = np.nan
    found = paired.difference(*cells("average_precision", first, second, "mAP"), "mAP")
    assert found.value == pytest.approx(100 * np.nanmean(first - second)) and found.freedom == 59
    name = "image_to_text_r5"
    found = paired.difference(*cells("image_to_text", np.arange(64), np.arange(64) // 2, name), name)
    assert found.value == pytest.approx(100 * (5 - 10) / 64)


def test_several_labels(cells, tmp_path):
    generator = np.random.default_rng(0)
    shown = generator.random((64, 3)) < 0.4
    scores = [shown + generator.normal(0, scale, (64, 3)) for scale in (0.5, 1.5)]
    pair = cells("probabilities", *scores, "mAP")
    for folder, _ in pair:
        table = pandas.read_parquet(folder / "per_image.parquet")
        table.assign(labels=[np.flatnonzero(row) for row in shown]).to_parquet(folder / "per_image.parquet")
    found = paired.difference(*pair, "mAP")
    expected = [100 * averages(shown, each)["mAP"][0] for each in scores]
    assert found.value == pytest.approx(expected[0] - expected[1]) and found.p_value() < 0.05
    assert paired.difference(*pair, "top1") is None


def test_pixels_and_boxes(tmp_path):
    generator = np.random.default_rng(0)
    folders = [tmp_path / name for name in ("first", "second")]
    for folder, share in zip(folders, (0.8, 0.5), strict=True):
        folder.mkdir()
        labelled = np.full((12, 3), 100)
        both = generator.binomial(labelled, share)
        counts = {"image": np.array([f"{n}.jpg" for n in range(12)]), "labelled": labelled}
        iou.write_counts(folder / iou.FILE, {**counts, "intersection": both, "predicted": labelled})
        half = {2: generator.random((40, 3)), 4: generator.random((32, 3))}
        write_parts(folder, "bbox", Parts(np.full(3, 100 * share), half, np.array([5, 6, 7])))
    values = [100 * np.mean(iou.class_iou(iou.read_counts(folder / iou.FILE))) for folder in folders]
    found = paired.difference(*((folder, record("mIoU")) for folder in folders), "mIoU")
    assert found.value == pytest.approx(values[0] - values[1]) and found.p_value() < 0.001
    # without the data's folder nobody knows which classes are things
    assert paired.difference(*((folder, record()) for folder in folders), "mIoU_things") is None
    found = paired.difference(*((folder, record("bbox_mAP")) for folder in folders), "bbox_mAP")
    assert found.value == pytest.approx(30.0)
    assert paired.difference(*((folder, record("segm_mAP")) for folder in folders), "segm_mAP") is None


def test_what_is_not_of_the_same_images_is_not_compared(cells):
    (one, mine), (other, theirs) = cells("correct", LABELS < 6, LABELS < 4)
    assert paired.difference((one, mine), (other, record(data="e")), "top1") is None
    assert paired.difference((one, mine), (other, record(protocol=2)), "top1") is None
    assert paired.difference((one, mine), (other, theirs), "top5") is None
    table = pandas.read_parquet(other / "per_image.parquet")
    table.assign(path=table["path"][::-1].to_numpy()).to_parquet(other / "per_image.parquet")
    assert paired.difference((one, mine), (other, theirs), "top1") is None
    (other / "per_image.parquet").write_bytes(b"PAR1 torn")
    assert paired.difference((one, mine), (other, theirs), "top1") is None
    (other / "per_image.parquet").unlink()
    assert paired.difference((one, mine), (other, theirs), "top1") is None
