"""The libraries that read the real data sets read the demo's."""

import csv
import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from benchmark.demo_data import instances, semantic
from benchmark.demo_data.concepts import BACKGROUNDS, select


def test_pairs_are_webdataset_shards(drawn):
    import webdataset

    root, spec = drawn
    shards = sorted(str(path) for path in (root / "pairs/train").glob("*.tar"))
    assert len(shards) == 2
    samples = list(webdataset.WebDataset(shards, shardshuffle=False).decode("pil"))
    assert len(samples) == spec.pairs
    assert len({sample["__key__"] for sample in samples}) == spec.pairs
    nouns = {concept.noun for concept in select(spec.concepts)}
    for sample in samples:
        assert sample["jpg"].size == (spec.image_size, spec.image_size)
        assert sample["txt"] == sample["json"]["caption"]
        assert sample["__key__"] == sample["json"]["key"]
        assert set(sample["json"]["truth"]["objects"]) <= nouns
        assert sample["json"]["truth"]["ground"] in BACKGROUNDS
    assert len(list((root / "pairs/val").glob("*.tar"))) == 1


def test_shards_hold_each_samples_files_together(drawn):
    root, spec = drawn
    with tarfile.open(root / "pairs/train/00001.tar") as tar:
        members = tar.getmembers()
    assert len(members) == 3 * spec.pairs_per_shard
    assert [member.name for member in members[:3]] == ["000010000.jpg", "000010000.txt", "000010000.json"]
    assert {member.mtime for member in members} == {0}


def test_classification_is_an_image_folder(drawn):
    from torchvision.datasets import ImageFolder

    root, spec = drawn
    names = sorted(concept.noun for concept in select(spec.classes, among=spec.concepts))
    sizes = {"train": spec.class_train, "val": spec.class_val, "test": spec.class_test}
    for split, each in sizes.items():
        data = ImageFolder(root / "classification" / split)
        assert data.classes == names
        assert np.bincount(data.targets).tolist() == [each] * len(names)
        assert data[0][0].size == (spec.image_size, spec.image_size)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_coco_annotations_are_the_drawn_masks(drawn, split):
    from pycocotools.coco import COCO

    root, spec = drawn
    coco = COCO(root / f"coco/annotations/instances_{split}.json")
    names = [concept.noun for concept in select(spec.categories, among=spec.concepts)]
    assert [(c["id"], c["name"]) for c in coco.loadCats(coco.getCatIds())] == list(enumerate(names, start=1))
    jobs = instances.plan(spec, split)
    assert coco.getImgIds() == [job.image_id for job in jobs]
    for job in jobs:
        image = coco.loadImgs(job.image_id)[0]
        with Image.open(root / "coco" / split / image["file_name"]) as file:
            assert file.size == (image["width"], image["height"])
        scene = instances.scene_of(job)
        annotations = coco.imgToAnns[job.image_id]
        assert len(annotations) == len(scene.objects) >= 1
        for annotation, placed in zip(annotations, scene.objects, strict=True):
            mask = coco.annToMask(annotation).astype(bool)
            assert np.array_equal(mask, placed.mask)
            assert names[annotation["category_id"] - 1] == placed.concept.noun
            rows, columns = np.nonzero(mask)
            box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
            assert annotation["bbox"] == box
            assert annotation["area"] == mask.sum() >= 40
            assert annotation["iscrowd"] == 0


def test_coco_ids_are_unique_over_the_splits(drawn):
    root, _ = drawn
    files = [json.loads(path.read_text()) for path in (root / "coco/annotations").glob("*.json")]
    for kind in ("images", "annotations"):
        ids = [entry["id"] for content in files for entry in content[kind]]
        assert len(ids) == len(set(ids)) > 0


def test_ade20k_is_the_challenge_layout(drawn):
    root, spec = drawn
    with (root / "ade20k/classes.csv").open() as file:
        rows = list(csv.DictReader(file))
    names = {int(row["index"]): row["name"] for row in rows}
    assert names[0] == "other"
    kinds = {row["name"]: row["kind"] for row in rows}
    assert kinds.pop("other") == ""
    assert {name for name, kind in kinds.items() if kind == "stuff"} == set(BACKGROUNDS)
    assert {kind for name, kind in kinds.items() if name not in BACKGROUNDS} == {"thing"}
    assert list(names) == list(range(1 + len(BACKGROUNDS) + spec.things))
    found = set()
    for split, count in semantic.sizes(spec).items():
        images = sorted((root / "ade20k/images" / split).glob("*.jpg"))
        maps = sorted((root / "ade20k/annotations" / split).glob("*.png"))
        assert len(images) == len(maps) == count
        for image, png, job in zip(images, maps, semantic.plan(spec, split), strict=True):
            assert image.stem == png.stem == job.stem
            with Image.open(image) as picture, Image.open(png) as indices:
                assert indices.mode == "L"
                assert picture.size == indices.size
                values = np.asarray(indices)
            scene = semantic.scene_of(job)
            for placed in scene.objects:
                name = placed.concept.noun
                number = next((n for n, other in names.items() if other == name), 0)
                assert (values[placed.mask] == number).all()
            found |= set(np.unique(values))
    assert found <= set(names)
    assert 0 in found
    assert len(found) > len(BACKGROUNDS)


def test_images_are_jpeg_of_good_quality(drawn):
    root, _ = drawn
    with tarfile.open(root / "pairs/val/00000.tar") as tar:
        data = tar.extractfile(tar.getmembers()[0]).read()
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "JPEG"
        assert max(image.quantization[0]) <= 25
