"""How fast COCO AP is matched, evaluated and resampled, against pycocotools, and how far the two differ.

python tests/performance/bench_coco_ap.py [--images N]

One core. Objects and detections are drawn in the numbers of COCO's validation set: 5,000 images, 80
categories of very unequal frequency, some 36,000 objects and 90,000 detections. Both ways get the same file
and the same detections and end with the twelve numbers; ours besides has what intervals and comparisons take.
Processor time is compared. Then box and mask AP of two detectors are evaluated on 1,000 resamples of images.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchmark.metrics import coco_ap

IMAGES, CATEGORIES, WIDTH, HEIGHT = 5000, 80, 640, 480
OBJECTS, FOUND, WRONG = 7.3, 0.8, 12.2
"""Per image: objects; the share of them that is detected; detections of nothing."""
RESAMPLES = 1000


def draw(images: int, generator: np.random.Generator) -> dict[str, Any]:
    """Annotations in COCO's form: ellipses as polygons, a hundredth of them crowds as RLE."""
    share = 1 / np.arange(1, CATEGORIES + 1)
    annotations = []
    for image in range(1, images + 1):
        # Objects of an image are mostly of few categories.
        present = generator.choice(CATEGORIES, size=3, p=share / share.sum())
        for _ in range(generator.poisson(OBJECTS)):
            box = _box(generator)
            entry = {
                "id": len(annotations) + 1,
                "image_id": image,
                "bbox": box,
                "area": 0.78 * box[2] * box[3],
            }
            entry |= {"category_id": int(generator.choice(present)) + 1, "iscrowd": 0}
            entry["segmentation"] = [_ellipse(box)]
            if generator.random() < 0.01:
                entry |= {"iscrowd": 1, "segmentation": _encoded(box)}
            annotations.append(entry)
    return {
        "images": [{"id": i + 1, "width": WIDTH, "height": HEIGHT, "file_name": ""} for i in range(images)],
        "annotations": annotations,
        "categories": [{"id": k + 1, "name": str(k)} for k in range(CATEGORIES)],
    }


def detect(content: dict[str, Any], error: float, generator: np.random.Generator) -> list[dict[str, Any]]:
    """COCO results of a detector that moves boxes by `error` of their size and sees what is not there."""
    found = []
    for annotation in content["annotations"]:
        if generator.random() < FOUND:
            x, y, w, h = annotation["bbox"]
            box = [x + error * w * generator.normal(), y + error * h * generator.normal()]
            box += [w * np.exp(error * generator.normal()), h * np.exp(error * generator.normal())]
            found.append(
                _result(annotation["image_id"], annotation["category_id"], box, generator.beta(3, 2))
            )
    for image in content["images"]:
        for _ in range(generator.poisson(WRONG)):
            category = int(generator.integers(1, CATEGORIES + 1))
            found.append(_result(image["id"], category, _box(generator), generator.beta(1, 5)))
    return found


def _box(generator: np.random.Generator) -> list[float]:
    w, h = np.exp(generator.normal(4.0, 0.9, 2)).clip(6, [WIDTH, HEIGHT])
    return [
        float(generator.uniform(0, WIDTH - w)),
        float(generator.uniform(0, HEIGHT - h)),
        float(w),
        float(h),
    ]


def _ellipse(box: list[float]) -> list[float]:
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    x, y = box[0] + box[2] * (1 + np.cos(turn)) / 2, box[1] + box[3] * (1 + np.sin(turn)) / 2
    return np.stack([x, y], axis=1).round(2).ravel().tolist()


def _encoded(box: list[float]) -> dict[str, Any]:
    (encoded,) = masks.frPyObjects([_ellipse(box)], HEIGHT, WIDTH)
    return {"size": encoded["size"], "counts": encoded["counts"].decode()}


def _result(image: int, category: int, box: list[float], score: float) -> dict[str, Any]:
    x, y = np.clip(box[:2], 0, [WIDTH - 2, HEIGHT - 2])
    w, h = np.clip(box[2:], 2, [WIDTH - x, HEIGHT - y])
    box = [float(v) for v in (x, y, w, h)]
    entry = {"image_id": image, "category_id": category, "score": float(score), "bbox": box}
    return entry | {"segmentation": _encoded(box)}


def reference(
    file: Path,
    detections: list[dict[str, Any]],
    kind: str,
    coco: type = COCO,
    evaluation: type = COCOeval,
) -> dict[str, float]:
    """The twelve numbers, those that are defined, by pycocotools or a tool with its interface."""
    # With a box beside the mask, the tools would take the box's area for the object's size.
    left_out = "segmentation" if kind == "bbox" else "bbox"
    plain = [{key: value for key, value in each.items() if key != left_out} for each in detections]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco(str(file))
        run = evaluation(truth, truth.loadRes(plain), kind)
        run.evaluate()
        run.accumulate()
        run.summarize()
    values = zip(coco_ap.NAMES, run.stats[:12], strict=True)
    return {name: 100 * float(value) for name, value in values if value >= 0}


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Processor seconds of this process, and the result."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=IMAGES)
    images = parser.parse_args().images
    content = draw(images, np.random.default_rng(0))
    detectors = [detect(content, error, np.random.default_rng(seed)) for seed, error in ((1, 0.08), (2, 0.1))]
    matched = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "instances.json"
        file.write_text(json.dumps(content))
        print(f"{images:,} images, {len(content['annotations']):,} objects, {len(detectors[0]):,} detections")
        for kind in ("bbox", "segm"):
            slow, theirs = timed(lambda kind=kind: reference(file, detectors[0], kind))
            fast, matches = timed(lambda kind=kind: coco_ap.match(file, detectors[0], kind))
            more, ours = timed(lambda matches=matches: coco_ap.evaluate(matches))
            apart = max(abs(theirs[name] - value) for name, value in ours.items())
            print(
                f"{kind}: pycocotools {slow:.2f} s; matching {fast:.2f} s, twelve numbers {more:.2f} s: "
                f"{slow / (fast + more):.1f} times faster; AP {ours['mAP']:.2f}, at most {apart:.0e} apart",
                flush=True,
            )
            matched += [matches, coco_ap.match(file, detectors[1], kind)]
    counts = np.random.default_rng(3).multinomial(images, np.full(images, 1 / images), size=RESAMPLES)
    seconds, tables = timed(lambda: [each.class_precision(counts, ["all"])["all"] for each in matched])
    ap = [100 * np.nanmean(table.mean(axis=2), axis=1) for table in tables]
    spread = [np.std(ap[place] - ap[place + 1]) for place in (0, 2)]
    print(
        f"{RESAMPLES:,} paired resamples of box and mask AP of two detectors: {seconds:.1f} s "
        f"(standard errors of the differences {spread[0]:.2f} and {spread[1]:.2f} AP)"
    )


if __name__ == "__main__":
    main()
