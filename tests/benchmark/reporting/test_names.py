"""Names as people read them."""

from __future__ import annotations

import pytest
from record_data import record

from benchmark import tasks
from benchmark.records.schema import DataInfo, TaskInfo
from benchmark.records.store import write_record
from benchmark.reporting import names, tables
from benchmark.reporting.results import of_folder


def task(kind: str, config: str = "c.py", name: str = "mine", **axes) -> TaskInfo:
    return TaskInfo(name=name, type=kind, config=config, config_digest="c", protocol=1, axes=axes)


@pytest.mark.parametrize(
    ("info", "title"),
    [
        (task("linear_probe", "task_configs/classification/any_linear_probe.py"), "Linear probe"),
        (task("knn"), "k-NN"),
        (task("finetune", "a/finetune.py"), "Fine-tuning"),
        (task("finetune", "a/lora.py"), "LoRA"),
        (task("finetune", "any_attentive_probe.py"), "Attentive probe"),
        (task("detection", "coco_mask_rcnn_vit_base.py"), "Mask R-CNN"),
        (task("detection", "yolo.py"), "Detection"),
        (task("segmentation", "ade20k_deeplabv3_vit_huge.py"), "DeepLabv3"),
        (task("segmentation", "ade20k_linear.py"), "Linear segmentation"),
        (task("linear_probe", init="transfer", alpha=0.5), "Linear probe, init=transfer, alpha=0.5"),
        (task("their.package:Depth", name="depth"), "depth"),
    ],
)
def test_a_task_is_called_by_its_kind_and_config(info, title):
    assert names.task_title(record(task=info)) == title


def test_every_kind_of_task_has_a_title():
    for kind in tasks.TASKS:
        assert names.task_title(record(task=task(kind))) != "mine", kind


def test_tasks_of_one_kind_are_told_apart_by_their_data_or_their_own_names(tmp_path):
    def write(name, data, info):
        entry = record(task=info, data=DataInfo(name=data, path="p", digest=data))
        write_record(tmp_path / "toy" / name / info.name / "seed0", entry)

    write("a", "pets", task("linear_probe", name="pets_linear_probe"))
    write("b", "cars", task("linear_probe", name="cars_linear_probe"))
    write("c", "pets", task("finetune", name="long"))
    write("d", "pets", task("finetune", name="short"))
    write("e", "pets", task("knn", name="pets_knn"))
    results = of_folder(tmp_path / "toy")
    assert names.task_titles(results) == {
        "pets_linear_probe": "Linear probe on pets",
        "cars_linear_probe": "Linear probe on cars",
        "long": "long",
        "short": "short",
        "pets_knn": "k-NN",
    }
    header, *_ = tables.layout(results)
    assert len(set(header)) == len(header)


@pytest.mark.parametrize(
    ("name", "unit", "shown"),
    [
        ("top1", "percent", "top-1 %"),
        ("top1_k20", "%", "top-1 (k = 20) %"),
        ("top1_1_shots", "percent", "top-1 at 1 shot %"),
        ("top1_16_shots", "percent", "top-1 at 16 shots %"),
        ("top1_on_sketch", "percent", "top-1 on sketch %"),
        ("top5_over_images", "percent", "top-5 over images %"),
        ("bbox_mAP", "AP", "box AP"),
        ("bbox_mAP_50", "AP", "box AP 50"),
        ("segm_AR_100", "AR", "mask AR 100"),
        ("mIoU_things", "percent", "mIoU over things %"),
        ("ece_scaled", "percent", "ECE after temperature scaling %"),
        ("nll", "nats", "NLL nats"),
        ("R@1", "", "R@1"),
        ("their_own", "percent", "their_own %"),
    ],
)
def test_a_metric_has_its_unit_once(name, unit, shown):
    assert names.with_unit(name, unit) == shown
    assert names.column_title("Linear probe", name, unit) == f"Linear probe, {shown}"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (66.04, "percent", "66.0"),
        (100.0, "percent", "100.0"),
        (0.04, "percent", "0.0"),
        (-3.26, "AP", "-3.3"),
        (0.69314, "nats", "0.6931"),
        (301.52, "", "301.5"),
        (999.97, "percent", "1,000"),
        (12345.6, "images/s", "12,350"),
        (7.5e15, "", "7.50e+15"),
        (64_000, "", "64,000"),
        (302, "", "302"),
        (12_800_000_000, "", "12,800,000,000"),
        (12_345, "", "12,340"),
        (None, "percent", "–"),
    ],
)
def test_figures_have_four_significant_digits_at_most(value, unit, text):
    assert names.figure_text(value, unit) == text
