"""Object detection and instance segmentation on COCO-format data, trained and run by MMDetection."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pandas as pd
from mmengine.config import Config

from benchmark.data import coco
from benchmark.data.instances import read_instances
from benchmark.metrics import coco_ap
from benchmark.metrics.ap_parts import write_parts
from benchmark.tasks import openmmlab_runner
from benchmark.tasks.base import Outcome, Task, TaskContext
from benchmark.tasks.initial import InitSettings, initial_of, start_rows_of
from benchmark.tasks.openmmlab_pictures import name_broken_files
from common.errors import UserError
from common.training import group

RESULTS = "detections.{kind}.json"
CLASS_LAYER = "roi_head.bbox_head.fc_cls"
"""Of Mask R-CNN; its last row is the background's."""


class DetectionSettings(openmmlab_runner.RunnerSettings, openmmlab_runner.JudgedSettings, InitSettings):
    """What a task config may say under ``task``: how it is trained, and how the box classifier starts."""


class Detection(Task):
    """Mask R-CNN or another MMDetection model on the cell's backbone.

    Writes ``detections.bbox.json`` and ``detections.segm.json`` (COCO results) into the cell's folder, and
    ``ap_parts.*.npz``, by which two backbones are compared (`benchmark.metrics.ap_parts`).
    Settings: `DetectionSettings`.
    """

    def run(self, context: TaskContext) -> Outcome | None:
        settings = context.checked(DetectionSettings)
        cfg = openmmlab_runner.runner_config(context, settings)
        truth = fill_in(cfg, context)
        initial = initial_of(context, settings, coco.class_names(truth))
        start = initial and partial(start_rows_of, path=CLASS_LAYER, initial=initial, seed=context.seed)
        runner = openmmlab_runner.train(cfg, context.report, start)
        runner.test()
        if not group.is_first():
            return None
        metrics, tables = {}, []
        for kind in ("bbox", "segm"):
            context.report(f"{kind} AP")
            detections = json.loads((context.out / RESULTS.format(kind=kind)).read_text(encoding="utf-8"))
            found, table, parts = coco_ap.measure(truth, detections, kind)
            if parts:
                write_parts(context.out, kind, parts)
            metrics |= found
            tables.append(table)
        openmmlab_runner.finish(runner, context.out, settings.keep_weights)
        return Outcome(
            primary="bbox_mAP",
            also=["segm_mAP"],
            metrics=metrics,
            images=openmmlab_runner.images(runner),
            per_image=_joined(tables, truth),
            details={
                **openmmlab_runner.scale(runner),
                **({"transfer_init": initial.report} if initial else {}),
                "categories": len(runner.test_dataloader.dataset.metainfo["classes"]),
            },
        )


def fill_in(cfg: Config, context: TaskContext) -> Path:
    """Put what the data and the backbone decide into the config: categories, files, widths.

    Returns:
        The annotation file of the test split.

    Raises:
        UserError: an annotation file cannot be used, images are missing, or the splits' categories differ.
    """
    classes, looked_at = None, set()
    for dataset in openmmlab_runner.datasets(cfg):
        dataset.ann_file, dataset.data_prefix.img = coco.without_year(
            context.data, dataset.ann_file, dataset.data_prefix.img
        )
        annotations = context.data / dataset.ann_file
        if annotations not in looked_at:
            looked_at.add(annotations)
            names = _sound_classes(annotations, context.data / dataset.data_prefix.img)
            if classes is not None and names != classes:
                raise UserError(f"{annotations} has other categories than the training split")
            classes = names
        dataset.metainfo = {"classes": classes}
        name_broken_files(dataset)
    train, *validation, test = openmmlab_runner.datasets(cfg)
    if test.ann_file == train.ann_file:
        raise UserError(
            f"the test split is the training split ({test.ann_file}): a test must not be trained on"
        )
    openmmlab_runner.set_everywhere(cfg.model, "num_classes", len(classes))
    if "neck" in cfg.model:
        cfg.model.neck.in_channels = context.embed_dim
    truth = context.data / test.ann_file
    metric = {"type": "CocoMetric", "metric": ["bbox", "segm"], **group.GATHERED}
    for val in validation:
        cfg.val_evaluator = {**metric, "ann_file": str(context.data / val.ann_file)}
    cfg.test_evaluator = {
        **metric,
        "ann_file": str(truth),
        "format_only": True,
        "outfile_prefix": str(context.out / "detections"),
    }
    return truth


def _sound_classes(annotations: Path, images: Path) -> list[str]:
    """Names of the categories in the order of the file, all entries of which can be used."""
    content = read_instances(annotations)
    coco.check_images(annotations, content, images)
    return [category["name"] for category in content["categories"]]


def _joined(tables: list[pd.DataFrame], truth: Path) -> pd.DataFrame:
    boxes, masks = tables
    joined = boxes.merge(masks.drop(columns="objects"), on="image_id", validate="one_to_one")
    images = json.loads(truth.read_text(encoding="utf-8"))["images"]
    names = {image["id"]: image["file_name"] for image in images}
    joined.insert(1, "file_name", joined["image_id"].map(names))
    return joined
