"""COCO AP: the twelve numbers are those of the usual tools, on the images as they are and on resamples."""

import copy
import json

import numpy as np
import pytest
from bench_coco_ap import reference
from dense_data import write_coco
from pycocotools import mask as masks

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
def test_the_twelve_numbers_are_those_of_two_other_tools(truth, detections, kind):
    ours = coco_ap.evaluate(coco_ap.match(truth, detections, kind))
    assert list(ours) == list(coco_ap.NAMES)
    assert ours == pytest.approx(reference(truth, detections, kind), abs=1e-9)
    fast = pytest.importorskip("faster_coco_eval")
    assert ours == pytest.approx(
        reference(truth, detections, kind, fast.COCO, fast.COCOeval_faster), abs=1e-6
    )
    assert 5 < ours["mAP"] < ours["mAP_50"] < 95


@pytest.mark.parametrize("kind", ["bbox", "segm"])
@pytest.mark.parametrize("seed", range(6))
def test_crowded_worlds_are_judged_as_pycocotools_judges_them(seed, kind, tmp_path):
    """Boxes on a coarse grid, scores of one digit: equal overlaps, equal scores, crowds, wrong areas."""
    content, found = crowded_world(seed)
    file = tmp_path / "truth.json"
    file.write_text(json.dumps(content))
    ours = coco_ap.evaluate(coco_ap.match(file, found, kind))
    assert ours == pytest.approx(reference(file, found, kind), abs=1e-9)
    assert ours["mAP"] > 1


def crowded_world(seed, size=160, grid=8):
    generator = np.random.default_rng(seed)
    images = [{"id": 5 + 3 * i, "width": size, "height": size, "file_name": ""} for i in range(8)]
    annotations, found = [], []
    for image in images:
        for _ in range(generator.integers(0, 9)):
            x, y = generator.integers(0, (size - 32) // grid, 2) * grid
            w, h = np.minimum(generator.integers(1, 16, 2) * grid, (size - x, size - y))
            entry = detection(image, int(generator.integers(1, 4)), (x, y, w, h), 0)
            del entry["score"]
            area = float(w * h * generator.choice([1.0, 0.7]))
            crowd = int(generator.random() < 0.1)
            if generator.random() < 0.5 and not crowd:
                entry["segmentation"] = [[int(v) for v in (x, y, x + w, y, x + w, y + h, x, y + h)]]
            annotations.append({**entry, "id": len(annotations) + 1, "area": area, "iscrowd": crowd})
            for _ in range(generator.integers(0, 4)):
                moved = np.maximum([x, y] + generator.integers(-1, 2, 2) * grid, 0)
                # the fourth category has no objects, the fifth is not listed
                category = entry["category_id"] if generator.random() < 0.8 else int(generator.integers(1, 6))
                found.append(detection(image, category, (*moved, w, h), round(generator.random(), 1)))
    categories = [{"id": k, "name": str(k)} for k in range(1, 5)]
    return {"images": images, "annotations": annotations, "categories": categories}, found


def test_of_more_than_a_hundred_detections_the_best_scored_count(truth):
    content = json.loads(truth.read_text())
    image = content["images"][0]
    generator = np.random.default_rng(1)
    own = [a for a in content["annotations"] if a["image_id"] == image["id"]]
    found = [detection(image, own[0]["category_id"], (0, 0, 9, 9), generator.random()) for _ in range(130)]
    found += [detection(image, a["category_id"], a["bbox"], 0.2) for a in own]
    ours = coco_ap.match(truth, found, "bbox")
    assert coco_ap.evaluate(ours) == pytest.approx(reference(truth, found, "bbox"), abs=1e-9)
    assert 100 <= ours.per_image[:, 1].sum() < len(found)


def test_an_annotation_of_id_zero_is_found_like_any_other(truth, tmp_path):
    content = json.loads(truth.read_text())
    first = next(a for a in content["annotations"] if not a["iscrowd"])
    found = [
        {
            "image_id": first["image_id"],
            "category_id": first["category_id"],
            "score": 1.0,
            "bbox": first["bbox"],
        }
    ]
    usual = coco_ap.match(truth, found, "bbox").per_image
    first["id"] = 0
    file = tmp_path / "zero.json"
    file.write_text(json.dumps(content))
    assert (coco_ap.match(file, found, "bbox").per_image == usual).all() and usual[:, 2:].sum() == 10


def test_detections_of_an_unknown_image_are_refused(truth, detections):
    with pytest.raises(ValueError, match="does not list image 123456"):
        coco_ap.match(truth, [{**detections[0], "image_id": 123456}], "bbox")


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
        theirs = reference(file, results, "bbox")
        for name in coco_ap.NAMES[:6]:
            assert theirs[name] == pytest.approx(ours[name][r], abs=1e-9), name


def test_intervals_depend_on_the_seed_alone_and_carry_the_plain_number(truth, detections):
    matches = coco_ap.match(truth, detections, "segm")
    first, again, other = (
        coco_ap.intervals(matches),
        coco_ap.intervals(matches),
        coco_ap.intervals(matches, 1),
    )
    assert first == again != other
    assert list(first) == list(coco_ap.NAMES[:6])
    plain = coco_ap.evaluate(matches)
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
    matches = coco_ap.match(truth, [], "segm")
    values = coco_ap.evaluate(matches)
    assert set(values) == set(coco_ap.NAMES) and set(values.values()) == {0.0}
    intervals = coco_ap.intervals(matches)
    assert all(interval[:3] == (0.0, 0.0, 0.0) for interval in intervals.values())


def test_sizes_without_objects_are_left_out(tmp_path):
    root = write_coco(tmp_path / "coco", {"test": 3}, 64)
    file = root / "annotations" / "instances_test.json"
    image = json.loads(file.read_text())["images"][0]
    for found in ([], [detection(image, 1, (4, 4, 20, 20), 0.5)]):
        values = coco_ap.evaluate(coco_ap.match(file, found, "bbox"))
        assert "mAP_l" not in values and "AR_l" not in values and "mAP" in values


def test_metrics_and_table_say_what_they_are_of(truth, detections):
    metrics, table, parts = coco_ap.measure(truth, detections, "segm")
    assert list(metrics) == [f"segm_{name}" for name in coco_ap.NAMES]
    matches = coco_ap.match(truth, detections, "segm")
    bounds = coco_ap.intervals(matches)
    for name, value in coco_ap.evaluate(matches).items():
        metric = metrics[f"segm_{name}"]
        assert metric.value == value and metric.n == 12 == len(table)
        assert metric.unit == ("AP" if "mAP" in name else "AR")
        assert (metric.low, metric.high) == (bounds[name][1:3] if name in bounds else (None, None))
    assert subsampled_mean(*parts) == bounds["mAP"]
    few, _, parts = coco_ap.measure(truth, [], "bbox")
    assert few["bbox_mAP"].value == 0 and not parts.full[parts.objects > 0].any()
