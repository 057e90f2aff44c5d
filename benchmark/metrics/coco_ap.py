"""COCO average precision: the twelve numbers, their intervals, and what was found in each image."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.metrics import coco_matching
from benchmark.metrics.coco_matching import AREAS, MOST, THRESHOLDS, Matching
from benchmark.records.schema import Metric
from benchmark.statistics.coverage import coverage
from benchmark.statistics.interval import Interval
from benchmark.statistics.precision import FEWEST, Parts, splits, subsampled_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas

NAMES = (
    *("mAP", "mAP_50", "mAP_75", "mAP_s", "mAP_m", "mAP_l"),
    *("AR_1", "AR_10", "AR_100", "AR_s", "AR_m", "AR_l"),
)
"""The twelve numbers in COCO's order: precision at IoU 0.5:0.95, at 0.5, at 0.75, of small, medium and large
objects; recall with 1, 10 and 100 detections per image, and by size."""

_PRECISIONS = {
    "mAP": ("all", slice(None)),
    "mAP_50": ("all", slice(0, 1)),
    "mAP_75": ("all", slice(5, 6)),
    **{f"mAP_{area[0]}": (area, slice(None)) for area in list(AREAS)[1:]},
}
"""Name -> sizes of objects and IoU thresholds it is the mean over."""
_RECALLS = np.linspace(0.0, 1.0, 101)
_FOUND = {
    "AR_1": ("all", 1),
    "AR_10": ("all", 10),
    "AR_100": ("all", MOST),
    **{f"AR_{area[0]}": (area, MOST) for area in list(AREAS)[1:]},
}
"""Name -> sizes of objects, and how many detections of each image and category it looks at."""


def measure(
    annotations: Path, detections: list[dict[str, Any]], kind: str
) -> tuple[dict[str, Metric], pandas.DataFrame, Parts | None]:
    """The twelve numbers, the six precisions with intervals, and what was found in each image.

    Args:
        annotations, detections, kind: as `coco_matching.match` takes them.

    Returns:
        Metrics by ``<kind>_<name>`` with the names of `NAMES`; `Matches.table`; and what the interval of mAP
        is made of, None where there is none.
    """
    matches = match(annotations, detections, kind)
    values = evaluate(matches)
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


def evaluate(matches: Matches) -> dict[str, float]:
    """COCO's twelve numbers in percent by `NAMES`; without those of a size that no object has."""
    plain = matches.average_precision(np.ones((1, len(matches.image_ids)), dtype=int))
    values = {name: float(value[0]) for name, value in plain.items()} | matches.recalls
    return {name: values[name] for name in NAMES if np.isfinite(values[name])}


@dataclass
class Matches:
    """Which detections match (`match`), in a form that can be accumulated again quickly.

    Attributes:
        image_ids: of all images, ascending.
        per_image: [images, 2 + thresholds]: objects, detections, and objects found at each IoU threshold.
        groups: (category, area) -> (image [D], correct [T, D], counted [T, D], objects [images]);
            detections by falling score; `counted` is False for those that neither help nor harm.
        recalls: the six recalls of `NAMES` in percent, NaN where no object has the size.
    """

    image_ids: list[int]
    per_image: np.ndarray
    groups: dict[tuple[int, str], tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]
    recalls: dict[str, float] = field(default_factory=dict)

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

    def class_precision(
        self, counts: np.ndarray, areas: Iterable[str] = tuple(AREAS)
    ) -> dict[str, np.ndarray]:
        """AP of each category, by size of objects: [R, categories, thresholds], NaN without such objects.

        Args:
            counts: [R, images], how often each image was drawn.
            areas: sizes to look at.
        """
        counts = np.asarray(counts)
        by_area: dict[str, list[np.ndarray]] = {area: [] for area in areas}
        for (_, area), group in self.groups.items():
            if area in by_area:
                by_area[area].append(_precision(counts, *group))
        empty = np.full((len(counts), len(THRESHOLDS)), np.nan)
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
    """Match detections to objects, and sort what was found for accumulation (`coco_matching.match`)."""
    found = coco_matching.match(annotations, detections, kind)
    images = len(found.image_ids)
    per_image = np.zeros((images, 2 + len(THRESHOLDS)))
    per_image[:, 0] = np.bincount(found.object_image[found.object_counts[0]], minlength=images)
    per_image[:, 1] = np.bincount(found.image, minlength=images)
    for t, correct in enumerate(found.correct[0]):
        per_image[:, 2 + t] = np.bincount(found.image[correct], minlength=images)
    falling = np.lexsort((-found.score, found.category))
    groups = {}
    for place, category in enumerate(found.categories):
        # Of equal scores those of the earlier image come first, and within an image those listed first.
        chosen = falling[slice(*np.searchsorted(found.category, [place, place + 1]))]
        objects = slice(*np.searchsorted(found.object_category, [place, place + 1]))
        if not len(chosen) and objects.start == objects.stop:
            continue
        for a, area in enumerate(AREAS):
            own = found.object_image[objects][found.object_counts[a, objects]]
            groups[category, area] = (
                found.image[chosen],
                found.correct[a][:, chosen],
                found.counted[a][:, chosen],
                np.bincount(own, minlength=images),
            )
    return Matches(found.image_ids, per_image, groups, _recalls(found))


def _recalls(found: Matching) -> dict[str, float]:
    """The six recalls of `NAMES` in percent: means over categories with such objects and thresholds."""
    recalls = {}
    number = len(found.categories)
    for name, (area, most) in _FOUND.items():
        a = list(AREAS).index(area)
        objects = np.bincount(found.object_category[found.object_counts[a]], minlength=number)
        correct = found.correct[a] & (found.rank < most)
        each = [np.bincount(found.category[row], minlength=number) for row in correct]
        present = objects > 0
        shares = np.stack(each)[:, present] / objects[present]
        recalls[name] = 100.0 * float(shares.mean()) if present.any() else float("nan")
    return recalls


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
    objects: dict[str, list[int]] = {area: [] for area in AREAS}
    for (_, area), group in matches.groups.items():
        objects[area].append(int(group[3].sum()))
    found = {}
    for name, (area, thresholds) in _PRECISIONS.items():
        table = 100 * tables[area][..., thresholds].mean(axis=2)  # [R, categories]
        parts = {n: table[ends[i] : ends[i + 1]] for i, n in enumerate(rows)}
        if objects[area]:
            found[name] = Parts(table[0], parts, np.array(objects[area]))
    return found


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
    # The correct detections of all thresholds side by side, each threshold a segment of columns; and those
    # that count neither way: how many there are before each correct one, and before its segment.
    segment, places = np.nonzero(correct)
    starts = np.flatnonzero(np.diff(segment, prepend=-1))
    thresholds = segment[starts]
    own = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(segment)))
    idle_segment, idle = np.nonzero(~counted[thresholds])
    width = len(image)
    up_to = np.searchsorted(idle_segment * width + idle, own * width + places)
    from_ = np.searchsorted(idle_segment, own)
    # Greatest from the right, begun anew in each segment: all of one segment lies above all right of it.
    raised = 2.0 * (len(starts) - own)
    size = max(1, 2**20 // max(width, len(segment)))
    for start in range(0, len(counts), size):
        rows = slice(start, start + size)
        weight = counts[rows].astype(np.int32).take(image, axis=1)
        hits = np.cumsum(weight.take(places, axis=1), axis=1, dtype=np.int32)
        before = np.where(starts > 0, hits[:, starts - 1], 0)
        hits -= before.take(own, axis=1)
        seen = np.cumsum(weight, axis=1, dtype=np.int32).take(places, axis=1)
        if len(idle):
            sums = np.zeros((len(weight), len(idle) + 1), dtype=np.int32)
            np.cumsum(weight.take(idle, axis=1), axis=1, out=sums[:, 1:])
            seen -= sums.take(up_to, axis=1) - sums.take(from_, axis=1)
        # np.spacing(1) is what COCO's own code adds
        precision = hits / (seen + np.spacing(1)) + raised
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1] - raised
        # reached[r, h]: how many of the 101 recalls h objects found in resample r reach
        recall = np.arange(hits.max() + 1) / np.maximum(total[rows], 1)[:, None]
        reached = np.searchsorted(_RECALLS, recall, side="right").astype(np.int32)
        steps = np.take_along_axis(reached, hits, axis=1)
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
