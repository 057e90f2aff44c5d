"""COCO AP: both evaluators agree, and the quick accumulation equals pycocotools on resampled images."""

import contextlib
import copy
import io
import json

import numpy as np
import pytest
from dense_data import write_coco
from pycocotools import mask as masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchmark.metrics import coco_ap
from benchmark.statistics.precision import subsampled_mean

SIZE = 280


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    """Annotations with a crowd, and objects of all three sizes."""
    root = write_coco(tmp_path_factory.mktemp("coco") / "coco", {"test": 12}, SIZE)
    file = root / "annotations" / "instances_test.json"
    content = json.loads(file.read_text())
    content["annotations"][3]["iscrowd"] = 1
    image = next(i for i in content["images"] if i["id"] == content["annotations"][3]["image_id"])
    crowd = np.zeros((image["height"], image["width"]), np.uint8, order="F")
    crowd[10:90, 10:90] = 1
    content["annotations"][3] |= {"bbox": [10, 10, 80, 80], "area": 6400, "segmentation": counts(crowd)}
    for annotation in content["annotations"][5:20:3]:
        x, y, _, _ = annotation["bbox"]
        annotation |= {"bbox": [x, y, 20, 16], "area": 320}
        annotation["segmentation"] = [[x, y, x + 20, y, x + 20, y + 16, x, y + 16]]
    file.write_text(json.dumps(content))
    return file


def counts(mask):
    encoded = masks.encode(np.asfortranarray(mask))
    run = [0]
    for value in mask.flatten(order="F"):
        if value == len(run) % 2:
            run.append(1)
        else:
            run[-1] += 1
    assert masks.area(encoded) == mask.sum()
    return {"size": list(mask.shape), "counts": run}


@pytest.fixture(scope="module")
def detections(truth):
    """Shifted objects, some of the wrong class, some doubled, some out of nothing; scores with ties."""
    content = json.loads(truth.read_text())
    generator = np.random.default_rng(5)
    images = {image["id"]: image for image in content["images"]}
    found = []
    for annotation in content["annotations"]:
        image = images[annotation["image_id"]]
        for _ in range(generator.integers(0, 4)):
            x, y, w, h = (v + generator.normal(0, 3) for v in annotation["bbox"])
            category = annotation["category_id"] if generator.random() < 0.8 else 4
            found.append(detection(image, category, (x, y, w, h), round(generator.random(), 1)))
    for image in content["images"][::2]:
        found.append(detection(image, 1, (5, 5, 30, 30), 0.35))
    return found


def detection(image, category, box, score):
    height, width = image["height"], image["width"]
    x, y = np.clip(box[0], 0, width - 8), np.clip(box[1], 0, height - 8)
    w, h = np.clip(box[2], 4, width - x), np.clip(box[3], 4, height - y)
    mask = np.zeros((height, width), np.uint8, order="F")
    mask[int(y) : int(y + h), int(x) : int(x + w)] = 1
    encoded = masks.encode(mask)
    return {
        "image_id": image["id"],
        "category_id": category,
        "bbox": [float(v) for v in (x, y, w, h)],
        "score": float(score),
        "segmentation": {"size": encoded["size"], "counts": encoded["counts"].decode()},
    }


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_both_evaluators_give_the_same_twelve_numbers(truth, detections, kind):
    pytest.importorskip("faster_coco_eval")
    fast = coco_ap.evaluate(truth, detections, kind, "faster_coco_eval")
    slow = coco_ap.evaluate(truth, detections, kind, "pycocotools")
    assert list(fast) == list(coco_ap.NAMES) == list(slow)
    assert fast == pytest.approx(slow, abs=1e-6)
    assert 5 < fast["mAP"] < fast["mAP_50"] < 95
    assert coco_ap.evaluate(truth, detections, kind) == fast


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_matches_accumulate_to_the_same_precisions(truth, detections, kind):
    matches = coco_ap.match(truth, detections, kind)
    ones = np.ones((1, len(matches.image_ids)), dtype=int)
    ours = {name: float(value[0]) for name, value in matches.average_precision(ones).items()}
    theirs = coco_ap.evaluate(truth, detections, kind, "pycocotools")
    assert ours == pytest.approx({name: theirs[name] for name in ours}, abs=1e-9)


def test_resamples_equal_pycocotools_on_copied_images(truth, detections, tmp_path):
    # Equal scores within one image are the one thing copies rank differently: a b a b, where we have a a b b.
    detections = [{**d, "score": d["score"] + 1e-6 * k} for k, d in enumerate(detections)]
    matches = coco_ap.match(truth, detections, "bbox")
    generator = np.random.default_rng(0)
    number = len(matches.image_ids)
    draws = generator.multinomial(number, np.full(number, 1 / number), size=4)
    ours = matches.average_precision(draws)
    content = json.loads(truth.read_text())
    for r, draw in enumerate(draws):
        copied = {"images": [], "annotations": [], "categories": content["categories"]}
        results = []
        for image_id, times in zip(matches.image_ids, draw, strict=True):
            for number in range(times):
                new_id = image_id * 100 + number  # copies stay neighbours in the order of images
                image = next(i for i in content["images"] if i["id"] == image_id)
                copied["images"].append({**image, "id": new_id})
                for annotation in content["annotations"]:
                    if annotation["image_id"] == image_id:
                        entry = {"id": len(copied["annotations"]) + 1, "image_id": new_id}
                        copied["annotations"].append({**copy.deepcopy(annotation), **entry})
                results += [{**d, "image_id": new_id} for d in detections if d["image_id"] == image_id]
        file = tmp_path / f"{r}.json"
        file.write_text(json.dumps(copied))
        with contextlib.redirect_stdout(io.StringIO()):
            coco = COCO(str(file))
            boxes = [{k: v for k, v in d.items() if k != "segmentation"} for d in results]
            run = COCOeval(coco, coco.loadRes(boxes), "bbox")
            run.evaluate()
            run.accumulate()
            run.summarize()
        for name, value in zip(coco_ap.NAMES[:6], run.stats[:6], strict=True):
            assert 100 * value == pytest.approx(ours[name][r], abs=1e-9), name


def test_intervals_depend_on_the_seed_alone_and_carry_the_plain_number(truth, detections):
    matches = coco_ap.match(truth, detections, "segm")
    first, again, other = (
        coco_ap.intervals(matches),
        coco_ap.intervals(matches),
        coco_ap.intervals(matches, 1),
    )
    assert first == again != other
    assert list(first) == list(coco_ap.NAMES[:6])
    plain = coco_ap.evaluate(truth, detections, "segm", "pycocotools")
    for name, interval in first.items():
        assert interval.value == pytest.approx(plain[name], abs=1e-9)
        assert 0 <= interval.low < interval.high and interval.bias >= 0
    # a few images flatter: the interval's middle is below the figure
    assert first["mAP"].low + first["mAP"].high < 2 * first["mAP"].value


def test_three_images_have_no_interval(truth, detections):
    matches = coco_ap.match(truth, detections, "bbox")
    few = coco_ap.Matches(matches.image_ids[:3], matches.per_image[:3], matches.groups)
    with pytest.raises(ValueError, match="at least 4 images, there are 3"):
        coco_ap.intervals(few)


def test_rows_per_image_add_up(truth, detections):
    table = coco_ap.match(truth, detections, "bbox").table("bbox")
    content = json.loads(truth.read_text())
    assert table["objects"].sum() == sum(not a["iscrowd"] for a in content["annotations"])
    assert table["bbox_detections"].sum() == len(detections)
    assert (table["bbox_found_75"] <= table["bbox_found_50"]).all()
    assert (table["bbox_found_50"] <= table["objects"]).all() and table["bbox_found_50"].sum() > 0


def test_nothing_detected_is_zero_not_an_error(truth):
    values = coco_ap.evaluate(truth, [], "segm")
    assert set(values) == set(coco_ap.NAMES) and set(values.values()) == {0.0}
    intervals = coco_ap.intervals(coco_ap.match(truth, [], "segm"))
    assert all(interval[:3] == (0.0, 0.0, 0.0) for interval in intervals.values())


def test_sizes_without_objects_are_left_out(tmp_path):
    root = write_coco(tmp_path / "coco", {"test": 3}, 64)
    file = root / "annotations" / "instances_test.json"
    image = json.loads(file.read_text())["images"][0]
    for found in ([], [detection(image, 1, (4, 4, 20, 20), 0.5)]):
        values = coco_ap.evaluate(file, found, "bbox")
        assert "mAP_l" not in values and "AR_l" not in values and "mAP" in values


def test_metrics_and_table_say_what_they_are_of(truth, detections):
    metrics, table, parts = coco_ap.measure(truth, detections, "segm")
    assert list(metrics) == [f"segm_{name}" for name in coco_ap.NAMES]
    bounds = coco_ap.intervals(coco_ap.match(truth, detections, "segm"))
    for name, value in coco_ap.evaluate(truth, detections, "segm").items():
        metric = metrics[f"segm_{name}"]
        assert metric.value == value and metric.n == 12 == len(table)
        assert metric.unit == ("AP" if "mAP" in name else "AR")
        assert (metric.low, metric.high) == (bounds[name][1:3] if name in bounds else (None, None))
    assert subsampled_mean(*parts) == bounds["mAP"]
    few, _, parts = coco_ap.measure(truth, [], "bbox")
    assert few["bbox_mAP"].value == 0 and not parts.full[parts.objects > 0].any()
