"""Configs for data of one's own: named by who runs them, trained on small drawings, tested once."""

from __future__ import annotations

import pytest
from dense_data import write_ade20k, write_coco

from benchmark.suites.cell import load_task_config
from benchmark.tasks import load_task
from benchmark.tasks.base import TaskContext

WORKERS = {
    f"{split}_dataloader.{key}": value
    for split in ("train", "val", "test")
    for key, value in (("num_workers", 0), ("persistent_workers", False))
}
SMALL = {
    "detection/mask_rcnn.py": {
        "model.neck.out_channels": 16,
        "model.rpn_head.in_channels": 16,
        "model.rpn_head.feat_channels": 16,
        "model.roi_head.bbox_roi_extractor.out_channels": 16,
        "model.roi_head.mask_roi_extractor.out_channels": 16,
        "model.roi_head.bbox_head.in_channels": 16,
        "model.roi_head.bbox_head.conv_out_channels": 16,
        "model.roi_head.bbox_head.fc_out_channels": 32,
        "model.roi_head.mask_head.in_channels": 16,
        "model.roi_head.mask_head.conv_out_channels": 16,
        "train_dataloader.dataset.pipeline.2.scales": [(80, 64)],
        "test_dataloader.dataset.pipeline.1.scale": (80, 64),
    },
    "segmentation/deeplabv3.py": {
        "model.data_preprocessor.size": (64, 64),
        "model.decode_head.channels": 16,
        "train_dataloader.dataset.pipeline.2.scales": [(80, 64)],
        "train_dataloader.dataset.pipeline.3.crop_size": (64, 64),
        "test_dataloader.dataset.pipeline.1.scale": (64, 64),
    },
    "classification/multilabel.py": {
        "train_dataloader.dataset.transform.input_size": 32,
        "val_dataloader.dataset.transform.input_size": 32,
        "test_dataloader.dataset.transform.input_size": 32,
        "optim_wrapper.precision": "float32",
    },
}


@pytest.mark.parametrize(
    ("config", "metric", "images"),
    [
        ("detection/mask_rcnn.py", "bbox_mAP", 4),
        ("segmentation/deeplabv3.py", "mIoU", 3),
        ("classification/multilabel.py", "mAP", 4),
    ],
)
def test_a_config_takes_data_of_any_name(tmp_path, config, metric, images):
    root = tmp_path / "photos"
    if config.startswith("segmentation"):
        write_ade20k(root, {"training": 5, "validation": 3}, 64)
    else:
        write_coco(root, {"train": 6, "val": 4}, 64)
    options = {**SMALL[config], **WORKERS, "train_cfg.max_epochs": 1, "train_cfg.val_interval": 9}
    # a step per batch, though the recipe makes one of several
    options |= {"param_scheduler": [], "train_dataloader.batch_size": 2, "auto_scale_lr.base_batch_size": 2}
    task = load_task_config(config, overrides=options, data=["pets"])
    assert task.name == f"pets_{config.rpartition('/')[2].removesuffix('.py')}"
    (tmp_path / "cell").mkdir()
    context = TaskContext(
        task.cfg, root, tmp_path / "cell", "random:vit_nano_conv16", 0, lambda *told, **pace: None
    )
    outcome = load_task(task.type).run(context)
    assert outcome.primary == metric and outcome.metrics[metric].n == images == len(outcome.per_image)
    assert outcome.details["iterations"] == (2 if config.startswith("segmentation") else 3)
