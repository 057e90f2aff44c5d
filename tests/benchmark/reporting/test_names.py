"""What readers are told in place of names for machines."""

import pytest

from benchmark.reporting.names import column_title, figure_text, metric_title, task_title
from common.configs import CONFIGS


@pytest.mark.parametrize(
    ("config", "name", "title"),
    [
        ("task_configs/classification/imagenet1k_linear_probe.py", "imagenet1k_linear_probe", "Linear probe"),
        ("linear_probe.py", "pets_linear_probe", "Linear probe"),
        ("x/imagenet1k_finetune_vit_base_512.py", "imagenet1k_finetune_vit_base_512", "Fine-tuning"),
        ("coco_mask_rcnn_vit_base.py", "coco_mask_rcnn_vit_base", "Mask R-CNN"),
        ("linear_probe.py", "data_efficiency", "Data efficiency"),
        ("mine.py", "mine", "mine"),
    ],
)
def test_tasks(config, name, title):
    assert task_title(config, name) == title


def test_every_config_of_a_task_has_a_title():
    for kind in ("classification", "detection", "segmentation"):
        for path in (CONFIGS / kind).glob("*.py"):
            assert task_title(str(path), path.stem) != path.stem, path


@pytest.mark.parametrize(
    ("metric", "title"),
    [
        ("top1", "top-1"),
        ("top1_k20", "top-1, k=20"),
        ("top1_4_shots", "top-1, 4 shots"),
        ("top1_on_imagenet_v2", "top-1 on imagenet v2"),
        ("bbox_mAP", "box AP"),
        ("mIoU", "mIoU"),
        ("nll_scaled", "NLL, scaled"),
        ("drop_on_x", "drop on x"),
    ],
)
def test_metrics(metric, title):
    assert metric_title(metric) == title


def test_units_are_said_once_and_digits_are_few():
    assert column_title("Linear probe", "top1", "percent") == "Linear probe, top-1 %"
    assert column_title("Mask R-CNN", "bbox_mAP", "AP") == "Mask R-CNN, box AP"
    texts = {
        66.123: "66.1",
        0.0: "0.0",
        123.456: "123.5",
        12345.6: "12,346",
        0.01234: "0.0123",
        -3.04: "-3.0",
    }
    for value, text in texts.items():
        assert figure_text(value) == text
