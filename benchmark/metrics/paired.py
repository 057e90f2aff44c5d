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
    from benchmark.statistics.difference import of_shares

    files = [folder / TABLE for folder in (one, other)]
    columns = [_column(file, record, metric) for file, record in zip(files, records, strict=True)]
    if None in columns:
        return None
    over_classes = records[0].metrics[metric].truth == "population of classes"
    further = ["label"] if over_classes else ["labels"] if columns[0] == "probabilities" else []
    tables = [_read(file, ["path", column, *further]) for file, column in zip(files, columns, strict=True)]
    if tables[0]["path"].tolist() != tables[1]["path"].tolist():
        return None
    values = [table[column] for table, column in zip(tables, columns, strict=True)]
    if columns[0] == "probabilities":
        return _of_labels(tables[0]["labels"], *values, metric)
    if rank := re.fullmatch(r".*_r(\d+)", metric):
        values = [place < int(rank[1]) for place in values]
    first, second = (value.to_numpy(dtype=float) for value in values)
    asked = ~np.isnan(first + second)
    clusters = tables[0]["label"].to_numpy()[asked] if over_classes else None
    return of_shares(first[asked], second[asked], clusters).scaled(100)


def _of_labels(shown: pandas.Series, first: pandas.Series, second: pandas.Series, metric: str) -> Difference:
    from benchmark.metrics import multilabel

    scores = [np.stack(column.to_numpy()).astype(np.float64) for column in (first, second)]
    labels = np.zeros(scores[0].shape, dtype=bool)
    for row, classes in enumerate(shown):
        labels[row, np.asarray(classes, dtype=int)] = True
    return multilabel.difference(labels, *scores)[metric].scaled(100)


def _column(file: Path, record: Record, metric: str) -> str | None:
    """The column that a metric's share of each image is in; None where the table does not hold it."""
    from pyarrow.parquet import read_schema

    from benchmark.metrics.multilabel import AVERAGES

    names = read_schema(file).names
    if "labels" in names:
        found = "probabilities" if metric in AVERAGES else None
    elif shots := re.fullmatch(r"top1_(\d+)_shots", metric):
        found = f"correct_{shots[1]}"
    elif neighbours := re.fullmatch(r"top1_(k\d+)", metric):
        found = f"correct_{neighbours[1]}"
    elif rank := re.fullmatch(r"(image_to_text|text_to_image)_r\d+", metric):
        found = rank[1]
    elif metric == "mAP":
        found = "average_precision"
    else:
        found = "correct" if metric == "R@1" or metric == record.primary else None
    return found if found in names else None


def _read(file: Path, columns: list[str]) -> pandas.DataFrame:
    import pandas

    return pandas.read_parquet(file, columns=columns)
