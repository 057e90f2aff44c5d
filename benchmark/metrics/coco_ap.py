"""COCO average precision: the twelve numbers, their intervals, and what was found in each image."""

from __future__ import annotations

import contextlib
import importlib.util
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.records.schema import Metric
from benchmark.statistics.coverage import coverage
from benchmark.statistics.interval import Interval
from benchmark.statistics.precision import FEWEST, Parts, splits, subsampled_mean

if TYPE_CHECKING:
    import pandas

NAMES = (
    *("mAP", "mAP_50", "mAP_75", "mAP_s", "mAP_m", "mAP_l"),
    *("AR_1", "AR_10", "AR_100", "AR_s", "AR_m", "AR_l"),
)
"""The twelve numbers in COCO's order: precision at IoU 0.5:0.95, at 0.5, at 0.75, of small, medium and large
objects; recall with 1, 10 and 100 detections per image, and by size."""

_AREAS = ("all", "small", "medium", "large")
_THRESHOLDS = 10
_PRECISIONS = {
    "mAP": ("all", slice(None)),
    "mAP_50": ("all", slice(0, 1)),
    "mAP_75": ("all", slice(5, 6)),
    **{f"mAP_{area[0]}": (area, slice(None)) for area in _AREAS[1:]},
}
"""Name -> sizes of objects and IoU thresholds it is the mean over."""
_RECALLS = np.linspace(0.0, 1.0, 101)


def measure(
    annotations: Path, detections: list[dict[str, Any]], kind: str
) -> tuple[dict[str, Metric], pandas.DataFrame, Parts | None]:
    """The twelve numbers, the six precisions with intervals, and what was found in each image.

    Args:
        annotations, detections, kind: as `evaluate` takes them.

    Returns:
        Metrics by ``<kind>_<name>`` with the names of `NAMES`; `Matches.table`; and what the interval of mAP
        is made of, None where there is none.
    """
    values = evaluate(annotations, detections, kind)
    matches = match(annotations, detections, kind)
    images = len(matches.image_ids)
    parts = parts_of(matches) if images >= FEWEST else {}
    bounds = _intervals(parts)
    metrics = {}
    for name, value in values.items():
        metric = Metric(value=value, unit=name[:2].replace("mA", "AP"), n=images)
        if name in bounds:
            _, metric.low, metric.high, metric.bias = bounds[name]
            metric.method, metric.truth = "sub-samples over images", "population of images"
            metric.coverage = coverage(name, images, value)
        metrics[f"{kind}_{name}"] = metric
    return metrics, matches.table(kind), parts.get("mAP")


def evaluate(
    annotations: Path, detections: list[dict[str, Any]], kind: str, evaluator: str | None = None
) -> dict[str, float]:
    """COCO's twelve numbers.

    Args:
        annotations: COCO instances json.
        detections: COCO results: image_id, category_id, score, bbox and (for ``segm``) segmentation as RLE.
        kind: ``bbox`` or ``segm``.
        evaluator: ``faster_coco_eval`` or ``pycocotools``; default: the first if it is installed.

    Returns:
        The numbers in percent by `NAMES`; without those that are undefined because no object has the size.
    """
    if evaluator is None:
        installed = importlib.util.find_spec("faster_coco_eval") is not None
        evaluator = "faster_coco_eval" if installed else "pycocotools"
    if evaluator == "faster_coco_eval":
        from faster_coco_eval import COCO
        from faster_coco_eval import COCOeval_faster as COCOeval
    else:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    run = _prepared(COCO, COCOeval, annotations, detections, kind)
    if run is None:
        return _nothing_found(annotations)
    with contextlib.redirect_stdout(io.StringIO()):
        run.evaluate()
        run.accumulate()
        run.summarize()
    values = (100.0 * float(value) for value in run.stats[:12])
    return {name: value for name, value in zip(NAMES, values, strict=True) if value >= 0}


@dataclass
class Matches:
    """Which detections match, as pycocotools matches them, in a form that can be accumulated again quickly.

    Attributes:
        image_ids: of all images, ascending.
        per_image: [images, 2 + thresholds]: objects, detections, and objects found at each IoU threshold.
        groups: (category, area) -> (image [D], correct [T, D], counted [T, D], objects [images]);
            detections by falling score; `counted` is False for those that neither help nor harm.
    """

    image_ids: list[int]
    per_image: np.ndarray
    groups: dict[tuple[int, str], tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]

    def average_precision(self, counts: np.ndarray) -> dict[str, np.ndarray]:
        """AP of resamples of the images.

        Args:
            counts: [R, images], how often each image was drawn.

        Returns:
            The six precisions of `NAMES` in percent, [R] each; NaN where a resample has no such object.
        """
        tables = self.class_precision(counts)
        values = {name: tables[area][..., chosen] for name, (area, chosen) in _PRECISIONS.items()}
        return {name: _mean(100.0 * table.reshape(len(table), -1)) for name, table in values.items()}

    def class_precision(self, counts: np.ndarray) -> dict[str, np.ndarray]:
        """AP of each category, by size of objects: [R, categories, thresholds], NaN without such objects.

        Args:
            counts: [R, images], how often each image was drawn.
        """
        counts = np.asarray(counts)
        by_area: dict[str, list[np.ndarray]] = {area: [] for area in _AREAS}
        for (_, area), group in self.groups.items():
            by_area[area].append(_precision(counts, *group))
        empty = np.full((len(counts), _THRESHOLDS), np.nan)
        return {area: np.stack(tables or [empty], axis=1) for area, tables in by_area.items()}

    def table(self, kind: str) -> pandas.DataFrame:
        """One row per image: objects, detections, and objects found at IoU 0.5, 0.75 and on average."""
        import pandas

        found = self.per_image[:, 2:]
        return pandas.DataFrame(
            {
                "image_id": self.image_ids,
                "objects": self.per_image[:, 0].astype(int),
                f"{kind}_detections": self.per_image[:, 1].astype(int),
                f"{kind}_found_50": found[:, 0].astype(int),
                f"{kind}_found_75": found[:, 5].astype(int),
                f"{kind}_found": found.mean(axis=1),
            }
        )


def match(annotations: Path, detections: list[dict[str, Any]], kind: str) -> Matches:
    """Match detections to objects (pycocotools), image by image and category by category."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(annotations))
    image_ids = sorted(truth.getImgIds())
    row = {image: index for index, image in enumerate(image_ids)}
    per_image = np.zeros((len(image_ids), 2 + _THRESHOLDS))
    run = _prepared(COCO, COCOeval, annotations, detections, kind)
    if run is None:
        for annotation in truth.anns.values():
            per_image[row[annotation["image_id"]], 0] += not annotation.get("iscrowd", 0)
        return Matches(image_ids, per_image, _empty_groups(truth, row))
    with contextlib.redirect_stdout(io.StringIO()):
        run.evaluate()
    groups = {}
    images, areas = len(run.params.imgIds), len(run.params.areaRng)
    for k, category in enumerate(run.params.catIds):
        for a, area in enumerate(_AREAS):
            start = (k * areas + a) * images
            results = [result for result in run.evalImgs[start : start + images] if result is not None]
            if not results:
                continue
            groups[category, area] = _group(results, row)
            if area == "all":
                for result in results:
                    correct = (result["dtMatches"] > 0) & ~result["dtIgnore"].astype(bool)
                    here = per_image[row[result["image_id"]]]
                    here[0] += np.count_nonzero(result["gtIgnore"] == 0)
                    here[1] += len(result["dtScores"])
                    here[2:] += correct.sum(axis=1)
    return Matches(image_ids, per_image, groups)


def intervals(matches: Matches, seed: int = 0) -> dict[str, Interval]:
    """Value, 95 % interval of the population's value, and bias of the six precisions, in percent.

    See `benchmark.statistics.precision`. Undefined precisions (no object of the size), and those too rare for
    an interval, are left out.
    """
    return _intervals(parts_of(matches, seed))


def _intervals(parts: dict[str, Parts]) -> dict[str, Interval]:
    found = {name: subsampled_mean(*each) for name, each in parts.items()}
    return {name: interval for name, interval in found.items() if interval}


def parts_of(matches: Matches, seed: int = 0) -> dict[str, Parts]:
    """AP of each class on all images, their halves and their quarters, in percent, of the six precisions.

    The matching is done once; only the precision-recall curves are accumulated again. Precisions of which
    there is no object are left out. The splits depend on the number of images and the seed alone, so that two
    models' parts are of the same images.
    """
    images = len(matches.image_ids)
    rows = splits(images, seed)
    counts = np.concatenate([np.ones((1, images), dtype=int), *rows.values()])
    tables = matches.class_precision(counts)
    ends = np.cumsum([1, *(len(row) for row in rows.values())])
    objects: dict[str, list[int]] = {area: [] for area in _AREAS}
    for (_, area), group in matches.groups.items():
        objects[area].append(int(group[3].sum()))
    found = {}
    for name, (area, thresholds) in _PRECISIONS.items():
        table = 100 * tables[area][..., thresholds].mean(axis=2)  # [R, categories]
        parts = {n: table[ends[i] : ends[i + 1]] for i, n in enumerate(rows)}
        if objects[area]:
            found[name] = Parts(table[0], parts, np.array(objects[area]))
    return found


def _prepared(coco: type, cocoeval: type, annotations: Path, detections: list[dict], kind: str) -> Any | None:
    """An evaluation ready to run; None when nothing was detected, which the tools cannot read."""
    if not detections:
        return None
    keys = ("image_id", "category_id", "score", "bbox" if kind == "bbox" else "segmentation")
    # With a box beside the mask, the tools would take the box's area for the object's size.
    plain = [{key: detection[key] for key in keys} for detection in detections]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco(str(annotations))
        return cocoeval(truth, truth.loadRes(plain), kind)


def _nothing_found(annotations: Path) -> dict[str, float]:
    matches = match(annotations, [], "bbox")
    precision = matches.average_precision(np.ones((1, len(matches.image_ids)), dtype=int))
    defined = {name[-2:] for name, value in precision.items() if np.isfinite(value[0])}
    return {name: 0.0 for name in NAMES if name[-2:] in defined or name[-2:] not in {"_s", "_m", "_l"}}


def _group(results: list[dict[str, Any]], row: dict[int, int]) -> tuple[np.ndarray, ...]:
    scores = np.concatenate([result["dtScores"] for result in results])
    order = np.argsort(-scores, kind="mergesort")
    image = np.repeat([row[r["image_id"]] for r in results], [len(r["dtScores"]) for r in results])[order]
    matched = np.concatenate([result["dtMatches"] for result in results], axis=1)[:, order] > 0
    counted = ~np.concatenate([result["dtIgnore"] for result in results], axis=1)[:, order].astype(bool)
    objects = np.zeros(len(row), dtype=int)
    for result in results:
        objects[row[result["image_id"]]] = np.count_nonzero(np.asarray(result["gtIgnore"]) == 0)
    return image.astype(int), matched & counted, counted, objects


def _empty_groups(truth: Any, row: dict[int, int]) -> dict[tuple[int, str], tuple[np.ndarray, ...]]:
    groups = {}
    limits = {"all": (0, 1e10), "small": (0, 1024), "medium": (1024, 9216), "large": (9216, 1e10)}
    nothing = np.zeros((_THRESHOLDS, 0), dtype=bool)
    for annotation in truth.anns.values():
        if annotation.get("iscrowd", 0):
            continue
        for area, (low, high) in limits.items():
            if low <= annotation["area"] <= high:
                key = (annotation["category_id"], area)
                new = (np.zeros(0, dtype=int), nothing, nothing, np.zeros(len(row), dtype=int))
                groups.setdefault(key, new)[3][row[annotation["image_id"]]] += 1
    return groups


def _precision(
    counts: np.ndarray, image: np.ndarray, correct: np.ndarray, counted: np.ndarray, objects: np.ndarray
) -> np.ndarray:
    """AP [R, T] of one category, as COCO accumulates it, for images drawn `counts` [R, images] times.

    Copies of an image are neighbours in the ranking, so that a block of copies counts as one step.
    Precision is only read at correct detections, where it has its maxima. COCO adds the greatest precision
    from there on at each of 101 recalls: here each correct detection's counts as often as recalls are first
    reached at it.
    """
    total = counts @ objects
    result = np.full((len(counts), len(correct)), np.nan)
    result[total > 0] = 0.0
    if not correct.any():
        return result
    # The correct detections of all thresholds side by side, each threshold a segment of columns.
    segment, places = np.nonzero(correct)
    starts = np.flatnonzero(np.diff(segment, prepend=-1))
    thresholds = segment[starts]
    own = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(segment)))
    # Greatest from the right, begun anew in each segment: all of one segment lies above all right of it.
    raised = 2.0 * (len(starts) - own)
    size = max(1, 2**22 // max(len(image), len(segment)))
    for start in range(0, len(counts), size):
        rows = slice(start, start + size)
        weight = counts[rows][:, image]
        hits = np.cumsum(weight[:, places], axis=1)
        before = np.where(starts > 0, hits[:, starts - 1], 0)
        hits -= before[:, own]
        if counted[thresholds].all():
            seen = np.cumsum(weight, axis=1)[:, places]
        else:
            parts = [np.cumsum(weight * counted[t], axis=1)[:, places[segment == t]] for t in thresholds]
            seen = np.concatenate(parts, axis=1)
        # np.spacing(1) is what COCO's own code adds
        precision = hits / (seen + np.spacing(1)) + raised
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1] - raised
        # reached[r, h]: how many of the 101 recalls h objects found in resample r reach
        recall = np.arange(hits.max() + 1) / np.maximum(total[rows], 1)[:, None]
        reached = np.searchsorted(_RECALLS, recall, side="right")
        steps = reached[np.arange(len(weight))[:, None], hits]
        first = steps[:, starts].copy()
        steps[:, 1:] -= steps[:, :-1].copy()
        steps[:, starts] = first
        found = np.add.reduceat(envelope * steps, starts, axis=1) / len(_RECALLS)
        result[rows, thresholds] = np.where(total[rows, None] > 0, found, np.nan)
    return result


def _mean(table: np.ndarray) -> np.ndarray:
    """Mean over axis 1 of what is defined; NaN where nothing is."""
    defined = np.isfinite(table)
    number = defined.sum(axis=1)
    total = np.where(defined, table, 0.0).sum(axis=1)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)
