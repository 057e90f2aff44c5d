"""Matching of detections to objects by COCO's rules, for all images, sizes and IoU thresholds at once.

pycocotools matches image by image in Python, which for COCO's 5,000 images takes longer than any metric. Here
overlaps are pycocotools' own, and only the pairs of a detection and an object that overlap enough are looked
at: first every image's and category's best-scored detection, then every second, and so on.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as masks

THRESHOLDS = np.linspace(0.5, 0.95, 10)
AREAS = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""Size -> least and greatest area in square pixels, both included."""
MOST = 100
"""Detections per image and category that count; of more, the best-scored."""


class Matching(NamedTuple):
    """What was found. Detections [D] and objects [G] are sorted by category, then image.

    Within an image and category detections fall in score. A = sizes of `AREAS`, T = IoU thresholds.

    Attributes:
        image_ids, categories: ids, ascending; the arrays hold positions in them.
        image, category, rank, score: [D] of each detection; `rank` is within its image and category.
        correct: [A, T, D], matched with an object that counts.
        counted: [A, T, D], False for detections that neither help nor harm.
        object_image, object_category: [G] of each object.
        object_counts: [A, G], False for crowds and objects of other sizes.
    """

    image_ids: list[int]
    categories: list[int]
    image: np.ndarray
    category: np.ndarray
    rank: np.ndarray
    score: np.ndarray
    correct: np.ndarray
    counted: np.ndarray
    object_image: np.ndarray
    object_category: np.ndarray
    object_counts: np.ndarray


def match(annotations: Path, detections: list[dict[str, Any]], kind: str) -> Matching:
    """Match detections to objects as pycocotools does.

    Annotations and detections of categories that the file does not list take no part. An annotation whose id
    is 0, which pycocotools takes for no match at all, is matched like any other.

    Args:
        annotations: COCO instances json.
        detections: COCO results: image_id, category_id, score, bbox and (for ``segm``) segmentation as RLE.
        kind: ``bbox`` or ``segm``.

    Raises:
        ValueError: a detection is of an image that the file does not list.
    """
    content = json.loads(Path(annotations).read_text(encoding="utf-8"))
    image_ids = sorted({image["id"] for image in content["images"]})
    categories = sorted({category["id"] for category in content.get("categories", [])})
    sizes = {image["id"]: (image.get("height"), image.get("width")) for image in content["images"]}

    if unknown := {each["image_id"] for each in detections} - sizes.keys():
        raise ValueError(f"{annotations} does not list image {min(unknown)}, of which there are detections")
    objects, object_image, object_category = _sorted(content.get("annotations", []), image_ids, categories)
    detections, image, category = _sorted(detections, image_ids, categories)
    object_pair = object_category * len(image_ids) + object_image
    pair = category * len(image_ids) + image
    score = np.array([each["score"] for each in detections], dtype=float)
    falling = np.lexsort((-score, pair))
    rank = np.arange(len(pair)) - np.searchsorted(pair, pair)  # sorting within pairs moves none of them
    kept, rank = falling[rank < MOST], rank[rank < MOST]
    detections = [detections[i] for i in kept]
    image, category, pair, score = image[kept], category[kept], pair[kept], score[kept]

    crowd = np.array([bool(each.get("iscrowd", 0)) for each in objects], dtype=bool)
    object_area = np.array([each["area"] for each in objects], dtype=float)
    object_counts = np.stack([~crowd & _within(object_area, limits) for limits in AREAS.values()])
    if kind == "bbox":
        boxes = np.array([each["bbox"] for each in detections], dtype=float).reshape(-1, 4)
        area = boxes[:, 2] * boxes[:, 3]
        overlaps = _box_overlaps(boxes, pair, [each["bbox"] for each in objects], object_pair, crowd)
    else:
        encoded = [each["segmentation"] for each in detections]
        area = np.array([masks.area(each) for each in encoded], dtype=float)
        looked_for = np.isin(object_pair, pair)
        truth = [
            _encoded(each["segmentation"], *sizes[each["image_id"]]) if wanted else None
            for each, wanted in zip(objects, looked_for, strict=True)
        ]
        overlaps = _mask_overlaps(encoded, pair, truth, object_pair, crowd)
    matched, ignored = _greedy(*overlaps, rank, crowd, object_counts)
    outside = np.stack([~_within(area, limits) for limits in AREAS.values()])
    counted = np.where(matched, ~ignored, ~outside[:, None])
    return Matching(
        image_ids, categories, image, category, rank, score, matched & counted, counted,
        object_image, object_category, object_counts,
    )  # fmt: skip


def _sorted(
    entries: list[dict[str, Any]], image_ids: list[int], categories: list[int]
) -> tuple[list[dict[str, Any]], np.ndarray, np.ndarray]:
    """Those of known images and categories by category, then image, and the positions of both."""
    image_at = {image: place for place, image in enumerate(image_ids)}
    category_at = {category: place for place, category in enumerate(categories)}
    image = np.array([image_at.get(each["image_id"], -1) for each in entries], dtype=int)
    category = np.array([category_at.get(each["category_id"], -1) for each in entries], dtype=int)
    order = np.lexsort((image, category))
    order = order[(image[order] >= 0) & (category[order] >= 0)]
    return [entries[i] for i in order], image[order], category[order]


def _within(area: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    return (area >= limits[0]) & (area <= limits[1])


def _box_overlaps(
    boxes: np.ndarray, pair: np.ndarray, others: list[list[float]], other_pair: np.ndarray, crowd: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Detection, object and IoU of those of one image and category that overlap enough.

    The arithmetic is pycocotools', in its order, so that equal overlaps come out equal; of a crowd it is the
    share of the detection within it.
    """
    objects = np.array(others, dtype=float).reshape(-1, 4)
    first = np.searchsorted(other_pair, pair, side="left")
    number = np.searchsorted(other_pair, pair, side="right") - first
    detection = np.repeat(np.arange(len(pair)), number)
    place = np.arange(len(detection)) - np.repeat(np.cumsum(number) - number, number)
    found = np.repeat(first, number) + place
    one, other = boxes[detection].T, objects[found].T
    width = np.minimum(one[0] + one[2], other[0] + other[2]) - np.maximum(one[0], other[0])
    height = np.minimum(one[1] + one[3], other[1] + other[3]) - np.maximum(one[1], other[1])
    shared = np.where((width > 0) & (height > 0), width * height, 0.0)
    own = one[2] * one[3]
    union = np.where(crowd[found], own, own + other[2] * other[3] - shared)
    overlap = np.divide(shared, union, out=np.zeros_like(shared), where=shared > 0)
    near = overlap >= THRESHOLDS[0]
    return detection[near], found[near], overlap[near]


def _mask_overlaps(
    encoded: list[Any], pair: np.ndarray, others: list[Any], other_pair: np.ndarray, crowd: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `_box_overlaps`, of masks, by pycocotools' own routine."""
    detection, found, overlap = [], [], []
    for value in np.intersect1d(pair, other_pair):
        ours = np.arange(*np.searchsorted(pair, [value, value + 1]))
        theirs = np.arange(*np.searchsorted(other_pair, [value, value + 1]))
        table = masks.iou(
            encoded[ours[0] : ours[-1] + 1],
            others[theirs[0] : theirs[-1] + 1],
            crowd[theirs].astype(np.uint8),
        )
        rows, columns = np.nonzero(table >= THRESHOLDS[0])
        detection.append(ours[rows])
        found.append(theirs[columns])
        overlap.append(table[rows, columns])
    if not overlap:
        return np.zeros(0, dtype=int), np.zeros(0, dtype=int), np.zeros(0)
    return np.concatenate(detection), np.concatenate(found), np.concatenate(overlap)


def _encoded(segmentation: Any, height: int, width: int) -> dict[str, Any]:
    """A segmentation (polygons, or RLE as list or text) as pycocotools' compressed RLE."""
    if isinstance(segmentation, list):
        parts = masks.frPyObjects(segmentation, height, width)
        return parts[0] if len(parts) == 1 else masks.merge(parts)
    if isinstance(segmentation["counts"], list):
        return masks.frPyObjects(segmentation, height, width)
    return segmentation


def _greedy(
    detection: np.ndarray,
    found: np.ndarray,
    overlap: np.ndarray,
    rank: np.ndarray,
    crowd: np.ndarray,
    object_counts: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Give each detection, by falling score, the object it overlaps most of those that are left.

    An object that counts goes before any that does not; of equal overlaps the later object is taken. A crowd
    can be taken any number of times.

    Args:
        detection, found, overlap: [E], those that overlap enough, by detection.
        rank: [D], of detections within their image and category.
        crowd: [G].
        object_counts: [A, G].

    Returns:
        matched and ignored [A, T, D]: whether there was an object, and whether it does not count.
    """
    areas, thresholds, number = len(AREAS), len(THRESHOLDS), len(overlap)
    matched = np.zeros((areas, thresholds, len(rank)), dtype=bool)
    ignored = np.zeros_like(matched)
    taken = np.zeros((areas, thresholds, len(crowd)), dtype=bool)
    by_preference = np.lexsort((found, overlap))  # unique, so that a maximum names one
    preference = np.empty(number, dtype=int)
    preference[by_preference] = np.arange(number)
    limits = np.minimum(THRESHOLDS, 1 - 1e-10)[:, None]
    by_rank = np.argsort(rank[detection], kind="stable")
    bounds = np.searchsorted(rank[detection][by_rank], np.arange(rank.max(initial=-1) + 2))
    for start, end in itertools.pairwise(bounds):
        if start == end:
            continue
        here = by_rank[start:end]
        which = found[here]
        left = (overlap[here] >= limits) & (~taken[:, :, which] | crowd[which])
        value = np.where(left, preference[here] + number * object_counts[:, None, which], -1)
        first = np.flatnonzero(np.diff(detection[here], prepend=-1))
        best = np.maximum.reduceat(value, first, axis=2)
        area, threshold, column = np.nonzero(best >= 0)
        chosen = found[by_preference[best[area, threshold, column] % number]]
        mine = detection[here][first][column]
        matched[area, threshold, mine] = True
        ignored[area, threshold, mine] = ~object_counts[area, chosen]
        taken[area, threshold, chosen] = True
    return matched, ignored
