"""Object detection and instance segmentation on COCO-format data, trained and run by MMDetection."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
from mmengine.config import Config

from backbones import empty_backbone
from benchmark.data.dataset_classes import coco_categories
from benchmark.metrics import coco_ap
from benchmark.records.schema import Metric
from benchmark.statistics.coverage import coverage
from benchmark.statistics.precision import FEWEST
from benchmark.tasks import openmmlab_runner
from benchmark.tasks.base import Outcome, Task, TaskContext
from common.errors import UserError

RESULTS = "detections.{kind}.json"


class Detection(Task):
    """Mask R-CNN or another MMDetection model on the cell's backbone.

    Writes ``detections.bbox.json`` and ``detections.segm.json`` (COCO results) into the cell's folder.
    Settings: ``keep_weights`` keeps the trained model as model.pth; ``validate`` looks at the validation
    split where the config says so.
    """

    def run(self, context: TaskContext) -> Outcome:
        settings = {"keep_weights": True, "validate": True}
        cfg = openmmlab_runner.prepare(context, settings)
        truth = fill_in(cfg, context)
        runner = openmmlab_runner.train(cfg, context.report)
        runner.test()
        metrics, tables = {}, []
        for kind in ("bbox", "segm"):
            context.report(f"{kind} AP")
            detections = json.loads((context.out / RESULTS.format(kind=kind)).read_text(encoding="utf-8"))
            found, table = measure(truth, detections, kind)
            metrics |= found
            tables.append(table)
        openmmlab_runner.finish(runner, context.out, settings["keep_weights"])
        return Outcome(
            primary="bbox_mAP",
            also=["segm_mAP"],
            metrics=metrics,
            per_image=_joined(tables, truth),
            details={
                **openmmlab_runner.scale(runner),
                "categories": len(runner.test_dataloader.dataset.metainfo["classes"]),
            },
        )


def fill_in(cfg: Config, context: TaskContext) -> Path:
    """Put what the data and the backbone decide into the config: categories, files, widths.

    Returns:
        The annotation file of the test split.

    Raises:
        UserError: an annotation file or an image folder is missing, or the splits' categories differ.
    """
    classes = None
    for dataset in openmmlab_runner.datasets(cfg):
        annotations = context.data / dataset.ann_file
        names = coco_categories(annotations)
        if classes is not None and names != classes:
            raise UserError(f"{annotations} has other categories than the training split")
        classes = names
        folder = context.data / dataset.data_prefix.img
        if not folder.is_dir():
            raise UserError(f"{folder} does not exist: the images of {annotations.name} belong there")
        dataset.metainfo = {"classes": classes}
    train, *validation, test = openmmlab_runner.datasets(cfg)
    if test.ann_file == train.ann_file:
        raise UserError(
            f"the test split is the training split ({test.ann_file}): a test must not be trained on"
        )
    openmmlab_runner.set_everywhere(cfg.model, "num_classes", len(classes))
    if "neck" in cfg.model:
        cfg.model.neck.in_channels = empty_backbone(context.backbone).embed_dim
    truth = context.data / test.ann_file
    metric = {"type": "CocoMetric", "metric": ["bbox", "segm"]}
    for val in validation:
        cfg.val_evaluator = {**metric, "ann_file": str(context.data / val.ann_file)}
    cfg.test_evaluator = {
        **metric,
        "ann_file": str(truth),
        "format_only": True,
        "outfile_prefix": str(context.out / "detections"),
    }
    return truth


def measure(truth: Path, detections: list[dict], kind: str) -> tuple[dict[str, Metric], pd.DataFrame]:
    """The twelve numbers, the six precisions with intervals, and what was found in each image."""
    values = coco_ap.evaluate(truth, detections, kind)
    matches = coco_ap.match(truth, detections, kind)
    images = len(matches.image_ids)
    bounds = coco_ap.intervals(matches) if images >= FEWEST else {}
    metrics = {}
    for name, value in values.items():
        metric = Metric(value=value, unit=name[:2].replace("mA", "AP"), n=images)
        if name in bounds:
            _, metric.low, metric.high, metric.bias = bounds[name]
            metric.method, metric.truth = "sub-samples over images", "population of images"
            metric.coverage = coverage(name, images, value)
        metrics[f"{kind}_{name}"] = metric
    return metrics, matches.table(kind)


def _joined(tables: list[pd.DataFrame], truth: Path) -> pd.DataFrame:
    boxes, masks = tables
    joined = boxes.merge(masks.drop(columns="objects"), on="image_id", validate="one_to_one")
    images = json.loads(truth.read_text(encoding="utf-8"))["images"]
    names = {image["id"]: image["file_name"] for image in images}
    joined.insert(1, "file_name", joined["image_id"].map(names))
    return joined
