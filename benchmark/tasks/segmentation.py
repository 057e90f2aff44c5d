"""Semantic segmentation on data in the ADEChallengeData2016 layout, trained and run by MMSegmentation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS
from PIL import Image

from benchmark.data import ade20k
from benchmark.metrics import iou
from benchmark.tasks import openmmlab_runner
from benchmark.tasks.base import Outcome, Task, TaskContext
from benchmark.tasks.initial import InitSettings, initial_of, start_rows_of
from benchmark.tasks.openmmlab_pictures import name_broken_files
from common.errors import UserError
from common.files import replacing
from common.names import suggest
from common.training import group
from pretraining.labels.label_lists import read_labels

PREDICTIONS = "predictions"
SHOWN = 8
"""Test images, evenly spaced over their names, whose predicted maps are kept to be looked at."""
CLASS_LAYER = "decode_head.conv_seg"
"""The last convolution of any head of MMSegmentation."""


class SegmentationSettings(openmmlab_runner.RunnerSettings, openmmlab_runner.JudgedSettings, InitSettings):
    """What a task config may say under ``task``, beside how it is trained and how its class layer starts.

    Attributes:
        headline: first metric of the tables: ``mIoU``, or ``mIoU_things`` or ``mIoU_stuff`` where the data
            say which class is which. The tables show all of these.
    """

    headline: str = "mIoU"


class Segmentation(Task):
    """DeepLabv3, a linear classifier or another MMSegmentation model on the cell's backbone.

    Writes ``pixel_counts.npz`` into the cell's folder: per test image and class the pixels predicted,
    labelled, and both (`intersection`), at the image's own resolution; and of a few images the predicted
    classes, ``predictions/*.png``, counted from one as annotations are. Settings: `SegmentationSettings`.
    """

    def run(self, context: TaskContext) -> Outcome | None:
        settings = context.checked(SegmentationSettings)
        cfg = openmmlab_runner.runner_config(context, settings)
        classes = fill_in(cfg, context)
        kinds = ade20k.class_kinds(context.data)
        shown = headlines(settings.headline, kinds)
        initial = initial_of(context, settings, classes or read_labels("ade20k"))
        start = initial and partial(start_rows_of, path=CLASS_LAYER, initial=initial, seed=context.seed)
        runner = openmmlab_runner.train(cfg, context.report, start)
        runner.test()
        if not group.is_first():
            return None
        counts = iou.read_counts(context.out / iou.FILE)
        openmmlab_runner.finish(runner, context.out, settings.keep_weights)
        names = classes or list(runner.test_dataloader.dataset.metainfo["classes"])
        metrics = iou.measure(counts, kinds)
        if shown[0] not in metrics:
            raise UserError(
                f"no test image shows a class that {shown[0]} is the mean of: change task.headline"
            )
        return Outcome(
            primary=shown[0],
            also=[name for name in shown[1:] if name in metrics],
            metrics=metrics,
            images=openmmlab_runner.images(runner),
            per_image=iou.per_image(counts),
            details={
                **openmmlab_runner.scale(runner),
                **({"transfer_init": initial.report} if initial else {}),
                "class_iou": {
                    name: round(100 * float(value), 3)
                    for name, value in zip(names, iou.class_iou(counts), strict=True)
                    if np.isfinite(value)
                },
            },
        )


def headlines(first: str, kinds: list[str] | None) -> list[str]:
    """The mIoUs that tables show, `first` first.

    Raises:
        UserError: `first` is none of them, or needs kinds of classes that the data do not give.
    """
    known = iou.names(kinds)
    if first not in known:
        missing = " (without a column kind in classes.csv)" if kinds is None else ""
        raise UserError(f"segmentation: headline={first!r}: {suggest(first, known)}{missing}")
    return [first, *(name for name in known if name != first)]


@METRICS.register_module()
class PixelCounts(BaseMetric):
    """Counts pixels per image and class, and writes them to a file.

    Args:
        file: where to write; see `iou.read_counts`.
        shown: names of the images whose predictions are kept, without suffix.
    """

    def __init__(self, file: str, shown: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.file = Path(file)
        self.shown = frozenset(shown)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        number = len(self.dataset_meta["classes"])
        for sample in data_samples:
            prediction = sample["pred_sem_seg"]["data"].squeeze(0).cpu().numpy()
            label = sample["gt_sem_seg"]["data"].squeeze(0).cpu().numpy()
            image = Path(sample["img_path"])
            self.results.append((image.name, iou.count(prediction, label, number)))
            if image.stem in self.shown:
                self._keep(image.stem, prediction)

    def _keep(self, name: str, prediction: np.ndarray) -> None:
        with replacing(self.file.with_name(PREDICTIONS) / f"{name}.png") as temporary:
            Image.fromarray((prediction + 1).astype(np.uint8)).save(temporary, format="PNG")

    def compute_metrics(self, results: list) -> dict[str, float]:
        names, counted = zip(*results, strict=True)
        counts = iou.stack_counts(names, counted)
        iou.write_counts(self.file, counts)
        return {"mIoU": 100 * iou.mean_of_classes(iou.class_iou(counts))}


def fill_in(cfg: Config, context: TaskContext) -> list[str] | None:
    """Put what the data and the backbone decide into the config: classes, folders, widths.

    Returns:
        The class names, or None for ADE20K's own.

    Raises:
        UserError: a folder or an image's labels are missing, or the test split is the training split.
    """
    classes = ade20k.class_names(context.data)
    for dataset in openmmlab_runner.datasets(cfg):
        for folder in dataset.data_prefix.values():
            ade20k.require_folder(context.data, folder)
        dataset.img_suffix = ade20k.image_suffix(context.data / dataset.data_prefix.img_path)
        if classes is not None:
            # MMSegmentation's ADE20KDataset insists on its own 150 names.
            dataset.type = "BaseSegDataset"
            dataset.reduce_zero_label = True
            dataset.metainfo = {"classes": classes}
    train, *validation, test = openmmlab_runner.datasets(cfg)
    if test.data_prefix.img_path == train.data_prefix.img_path:
        raise UserError("the test split is the training split: a test must not be trained on")
    for dataset in (train, *validation, test):
        ade20k.pair(*(context.data / dataset.data_prefix[key] for key in ("img_path", "seg_map_path")))
        name_broken_files(dataset, ade20k.ADE20K_CLASSES if classes is None else len(classes))
    width = context.embed_dim
    head = cfg.model.decode_head
    head.in_channels = width
    if head.get("num_convs") == 0:  # a linear classifier has no width of its own
        head.channels = width
    if classes is not None:
        head.num_classes = len(classes)
    if validation:
        cfg.val_evaluator = {"type": "IoUMetric", "iou_metrics": ["mIoU"], **group.GATHERED}
    cfg.test_evaluator = {
        "type": "PixelCounts",
        "file": str(context.out / iou.FILE),
        "shown": ade20k.some_images(context.data / test.data_prefix.img_path, SHOWN),
        **group.GATHERED,
    }
    return classes
