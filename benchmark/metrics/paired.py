"""Two backbones on the same test images: the difference of a metric, from what their cells left on disk."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmark.records.schema import Record

if TYPE_CHECKING:
    import pandas

    from benchmark.statistics.difference import Difference

TABLE = "per_image.parquet"


def difference(first: tuple[Path, Record], second: tuple[Path, Record], metric: str) -> Difference | None:
    """The first cell's metric less the second's, in points, judged on the images that both were tested on.

    Args:
        first, second: folder and record of each.
        metric: of both records.

    Returns:
        None where the cells do not tell: files missing or torn, other test images, or a metric of which no
        part per image is kept.
    """
    (one, record), (other, counterpart) = first, second
    if record.data.digest != counterpart.data.digest or record.task.protocol != counterpart.task.protocol:
        return None
    try:
        if metric in ("bbox_mAP", "segm_mAP"):
            return _of_average_precision(one, other, metric.partition("_")[0])
        if metric.startswith("mIoU"):
            return _of_iou(one, other, metric, record)
        return _of_images(one, other, metric, (record, counterpart))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None


def _of_average_precision(one: Path, other: Path, kind: str) -> Difference | None:
    from benchmark.metrics.ap_parts import read_parts
    from benchmark.statistics import precision

    parts = [read_parts(folder, kind) for folder in (one, other)]
    return None if None in parts else precision.difference(*parts)


def _of_iou(one: Path, other: Path, metric: str, record: Record) -> Difference | None:
    from benchmark.data.ade20k import class_kinds
    from benchmark.metrics import iou
    from benchmark.statistics import ratios

    counts = [iou.read_counts(folder / iou.FILE) for folder in (one, other)]
    if not np.array_equal(counts[0]["image"], counts[1]["image"]):
        return None
    kinds = None if metric == "mIoU" else class_kinds(Path(record.data.path))
    pairs = [iou.ratios_of(each, kinds).get(metric) for each in counts]
    found = None if None in pairs else ratios.difference(*pairs)
    return found and found.scaled(100)


def _of_images(one: Path, other: Path, metric: str, records: tuple[Record, Record]) -> Difference | None:
    import pandas

    from benchmark.statistics.difference import of_shares

    tables = [pandas.read_parquet(folder / TABLE) for folder in (one, other)]
    if tables[0]["path"].tolist() != tables[1]["path"].tolist():
        return None
    if "labels" in tables[0]:
        return _of_labels(tables, metric)
    values = [_values(*each, metric) for each in zip(tables, records, strict=True)]
    if any(value is None for value in values):
        return None
    first, second = values
    asked = ~np.isnan(first + second)
    over_classes = records[0].metrics[metric].truth == "population of classes"
    clusters = tables[0]["label"].to_numpy()[asked] if over_classes else None
    return of_shares(first[asked], second[asked], clusters).scaled(100)


def _of_labels(tables: list[pandas.DataFrame], metric: str) -> Difference | None:
    from benchmark.metrics import multilabel

    if metric not in multilabel.AVERAGES or len(tables[0]) < 4:
        return None
    scores = [np.stack(table["probabilities"].to_numpy()).astype(np.float64) for table in tables]
    labels = np.zeros(scores[0].shape, dtype=bool)
    for row, shown in enumerate(tables[0]["labels"]):
        labels[row, np.asarray(shown, dtype=int)] = True
    return multilabel.difference(labels, *scores)[metric].scaled(100)


def _values(table: pandas.DataFrame, record: Record, metric: str) -> np.ndarray | None:
    """A metric's share of each image, NaN where it has none; None where the table does not hold it."""
    if shots := re.fullmatch(r"top1_(\d+)_shots", metric):
        column = f"correct_{shots[1]}"
    elif neighbours := re.fullmatch(r"top1_(k\d+)", metric):
        column = f"correct_{neighbours[1]}"
    elif rank := re.fullmatch(r"(image_to_text|text_to_image)_r(\d+)", metric):
        return (table[rank[1]].to_numpy() < int(rank[2])).astype(float)
    elif metric == "mAP":
        column = "average_precision"
    elif metric == "R@1" or metric == record.primary:  # what the table was made of
        column = "correct"
    else:
        return None
    return table[column].to_numpy(dtype=float) if column in table else None
