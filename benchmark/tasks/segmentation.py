"""Semantic segmentation on data in the ADEChallengeData2016 layout, trained and run by MMSegmentation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS

from backbones import empty_backbone
from benchmark.data.dataset_classes import ade20k_classes, ade20k_kinds
from benchmark.records.schema import Metric
from benchmark.statistics.coverage import coverage
from benchmark.statistics.ratios import mean_ratio
from benchmark.tasks import openmmlab_runner
from benchmark.tasks.base import Outcome, Task, TaskContext
from common.errors import UserError
from common.files import replacing
from common.names import suggest

COUNTS = "pixel_counts.npz"
IGNORED = 255


class Segmentation(Task):
    """DeepLabv3, a linear classifier or another MMSegmentation model on the cell's backbone.

    Writes ``pixel_counts.npz`` into the cell's folder: per test image and class the pixels predicted,
    labelled, and both (`intersection`), at the image's own resolution. Settings: ``keep_weights`` keeps the
    trained model as model.pth; ``headline`` is the first metric of tables,
    ``mIoU``, or ``mIoU_things`` or ``mIoU_stuff`` where the data say which class is which. The tables show
    all of these.
    """

    def run(self, context: TaskContext) -> Outcome:
        settings = {"keep_weights": True, "validate": True, "headline": "mIoU"}
        cfg = openmmlab_runner.prepare(context, settings)
        classes = fill_in(cfg, context)
        kinds = ade20k_kinds(context.data)
        shown = headlines(settings["headline"], kinds)
        runner = openmmlab_runner.train(cfg, context.report)
        runner.test()
        counts = read_counts(context.out / COUNTS)
        openmmlab_runner.finish(runner, context.out, settings["keep_weights"])
        iou = class_iou(*(counts[key].sum(axis=0) for key in ("intersection", "predicted", "labelled")))
        names = classes or list(runner.test_dataloader.dataset.metainfo["classes"])
        metrics = measure(counts, kinds)
        if shown[0] not in metrics:
            raise UserError(
                f"no test image shows a class that {shown[0]} is the mean of: change task.headline"
            )
        return Outcome(
            primary=shown[0],
            also=[name for name in shown[1:] if name in metrics],
            metrics=metrics,
            per_image=per_image(counts),
            details={
                **openmmlab_runner.scale(runner),
                "class_iou": {
                    name: round(100 * float(value), 3)
                    for name, value in zip(names, iou, strict=True)
                    if np.isfinite(value)
                },
            },
        )


def headlines(first: str, kinds: list[str] | None) -> list[str]:
    """The mIoUs that tables show, `first` first.

    Raises:
        UserError: `first` is none of them, or needs kinds of classes that the data do not give.
    """
    known = ["mIoU", *(f"mIoU_{name}" for name in _subsets(kinds))]
    if first not in known:
        missing = " (without a column kind in classes.csv)" if kinds is None else ""
        raise UserError(f"segmentation: headline={first!r}: {suggest(first, known)}{missing}")
    return [first, *(name for name in known if name != first)]


@METRICS.register_module()
class PixelCounts(BaseMetric):
    """Counts pixels per image and class, and writes them to a file.

    Args:
        file: where to write; see `read_counts`.
    """

    def __init__(self, file: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.file = Path(file)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        number = len(self.dataset_meta["classes"])
        for sample in data_samples:
            prediction = sample["pred_sem_seg"]["data"].squeeze(0).cpu().numpy()
            label = sample["gt_sem_seg"]["data"].squeeze(0).cpu().numpy()
            self.results.append((Path(sample["img_path"]).name, *count(prediction, label, number)))

    def compute_metrics(self, results: list) -> dict[str, float]:
        names, *counts = zip(*results, strict=True)
        keys = ("intersection", "predicted", "labelled")
        arrays = {key: np.stack(values) for key, values in zip(keys, counts, strict=True)}
        with replacing(self.file) as temporary:
            np.savez_compressed(temporary, image=np.array(names), **arrays)
        iou = class_iou(*(values.sum(axis=0) for values in arrays.values()))
        return {"mIoU": 100 * float(np.nanmean(iou))}


def count(
    prediction: np.ndarray, label: np.ndarray, classes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels of each class in the intersection, the prediction and the label, without unlabelled pixels."""
    labelled = label != IGNORED
    prediction, label = prediction[labelled], label[labelled]
    both = prediction[prediction == label]
    return tuple(np.bincount(values.ravel(), minlength=classes) for values in (both, prediction, label))


def class_iou(intersection: np.ndarray, predicted: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """IoU [..., C] from pixel counts; NaN for a class that is neither labelled nor predicted."""
    return _ratio(intersection, predicted + labelled - intersection)


def measure(counts: dict[str, np.ndarray], kinds: list[str] | None = None) -> dict[str, Metric]:
    """mIoU, mAcc and aAcc in percent over all pixels of the test images, as MMSegmentation defines them.

    With the `kinds` of the classes also mIoU_things and mIoU_stuff, the means over classes of one kind;
    without those of which no class is anywhere. Intervals are for the population of images (`mean_ratio`).
    """
    both, predicted, labelled = (counts[key] for key in ("intersection", "predicted", "labelled"))
    union = predicted + labelled - both
    ratios = {
        "mIoU": (both, union),
        "mAcc": (both, labelled),
        "aAcc": (both.sum(axis=1, keepdims=True), labelled.sum(axis=1, keepdims=True)),
        **{f"mIoU_{name}": (both[:, chosen], union[:, chosen]) for name, chosen in _subsets(kinds).items()},
    }
    images = len(both)
    metrics = {}
    for name, (part, whole) in ratios.items():
        value = 100 * _mean_ratio(part.sum(axis=0), whole.sum(axis=0))
        if not np.isfinite(value):
            continue
        metrics[name] = metric = Metric(value=value, n=images)
        if images > 1:
            _, metric.low, metric.high, metric.bias = (100 * bound for bound in mean_ratio(part, whole))
            metric.method, metric.truth = "linearised over images", "population of images"
            metric.coverage = coverage(name, images, value)
    return metrics


def _mean_ratio(part: np.ndarray, whole: np.ndarray) -> float:
    defined = whole > 0
    return float((part[defined] / whole[defined]).mean()) if defined.any() else float("nan")


def _subsets(kinds: list[str] | None) -> dict[str, np.ndarray]:
    """Indices of the classes that are things and stuff; empty where the data do not say."""
    names = {"thing": "things", "stuff": "stuff"}
    table = np.array(kinds or [], dtype=str)
    return {plural: np.flatnonzero(table == kind) for kind, plural in names.items() if kind in table}


def per_image(counts: dict[str, np.ndarray]) -> pd.DataFrame:
    """One row per test image: labelled and correct pixels, and the mean IoU over the classes it shows."""
    iou = class_iou(counts["intersection"], counts["predicted"], counts["labelled"])
    return pd.DataFrame(
        {
            "image": counts["image"],
            "pixels": counts["labelled"].sum(axis=1),
            "correct": counts["intersection"].sum(axis=1),
            "mIoU": 100 * np.array([np.nanmean(row) if np.isfinite(row).any() else np.nan for row in iou]),
        }
    )


def read_counts(file: Path) -> dict[str, np.ndarray]:
    """`image` [N], and `intersection`, `predicted`, `labelled` [N, C] as PixelCounts wrote them."""
    with np.load(file) as stored:
        return {key: stored[key] for key in ("image", "intersection", "predicted", "labelled")}


def fill_in(cfg: Config, context: TaskContext) -> list[str] | None:
    """Put what the data and the backbone decide into the config: classes, folders, widths.

    Returns:
        The class names, or None for ADE20K's own.

    Raises:
        UserError: a folder is missing, or the test split is the training split.
    """
    classes = ade20k_classes(context.data)
    for dataset in openmmlab_runner.datasets(cfg):
        for folder in dataset.data_prefix.values():
            if not (context.data / folder).is_dir():
                raise UserError(
                    f"{context.data / folder} does not exist: is {context.data} ADEChallengeData2016?"
                )
        if classes is not None:
            # MMSegmentation's ADE20KDataset insists on its own 150 names.
            dataset.type = "BaseSegDataset"
            dataset.reduce_zero_label = True
            dataset.metainfo = {"classes": classes}
    train, *validation, test = openmmlab_runner.datasets(cfg)
    if test.data_prefix.img_path == train.data_prefix.img_path:
        raise UserError("the test split is the training split: a test must not be trained on")
    width = empty_backbone(context.backbone).embed_dim
    head = cfg.model.decode_head
    head.in_channels = width
    if head.get("num_convs") == 0:  # a linear classifier has no width of its own
        head.channels = width
    if classes is not None:
        head.num_classes = len(classes)
    if validation:
        cfg.val_evaluator = {"type": "IoUMetric", "iou_metrics": ["mIoU"]}
    cfg.test_evaluator = {"type": "PixelCounts", "file": str(context.out / COUNTS)}
    return classes


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)
