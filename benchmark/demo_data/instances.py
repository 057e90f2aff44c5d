"""Detection data in the COCO format: crowded scenes with visible masks."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.demo_data.art import STYLES
from benchmark.demo_data.concepts import BACKGROUNDS, Concept, select
from benchmark.demo_data.scenes import Layout, Scene, compose
from benchmark.demo_data.spec import DemoSpec
from benchmark.demo_data.streams import deck, stream
from common.processes import Workers

#: Width and height of images, in pixels, both ends included.
WIDTHS, HEIGHTS = (144, 192), (112, 144)
#: Chance that an object repeats the image's first category.
P_REPEAT = 0.15


@dataclass(frozen=True)
class Kind:
    """A kind of image: how common it is, how many objects it has (both ends included), how they lie."""

    chance: float
    objects: tuple[int, int]
    layout: Layout


#: Together they span COCO's areas (small below 32 x 32 pixels, large from 96 x 96) and degrees of occlusion.
KINDS = (
    Kind(0.48, (1, 4), Layout(32, 112, tilt=25, min_visible=0.5, tries=40)),
    Kind(0.36, (4, 6), Layout(30, 80, tilt=25, min_visible=0.3, crowding=0.6, tries=40)),
    Kind(0.16, (1, 2), Layout(96, 144, tilt=25, min_visible=0.4, tries=40)),
)


@dataclass(frozen=True)
class ImageJob:
    """One image to draw; ``image_id`` is unique over the splits."""

    seed: int
    split: str
    index: int
    image_id: int
    ground: str
    objects: tuple[Concept, ...]
    layout: Layout
    art: str

    @property
    def file_name(self) -> str:
        """As in COCO: the id with twelve digits."""
        return f"{self.image_id:012d}.jpg"


@dataclass(frozen=True)
class Instance:
    """One annotation: COCO's fields without the ids."""

    noun: str
    bbox: tuple[int, int, int, int]
    area: int
    segmentation: dict[str, Any]


def sizes(spec: DemoSpec) -> dict[str, int]:
    """Images per split."""
    return {"train": spec.instances_train, "val": spec.instances_val, "test": spec.instances_test}


def plan(spec: DemoSpec, split: str) -> list[ImageJob]:
    """What every image of ``split`` shows; categories and grounds are equally common."""
    splits = sizes(spec)
    total = splits[split]
    first_id = 1 + sum(list(splits.values())[: list(splits).index(split)])
    rng = stream(spec.seed_of(split), f"coco/{split}/plan")
    kinds = [KINDS[kind] for kind in rng.choice(len(KINDS), size=total, p=[kind.chance for kind in KINDS])]
    counts = [int(rng.integers(kind.objects[0], kind.objects[1] + 1)) for kind in kinds]
    grounds = deck(rng, BACKGROUNDS, total)
    cards = iter(deck(rng, select(spec.categories, among=spec.concepts), sum(counts)))
    jobs = []
    for index in range(total):
        objects = [next(cards) for _ in range(counts[index])]
        for position in range(1, len(objects)):
            if rng.random() < P_REPEAT:
                objects[position] = objects[0]
        jobs.append(
            ImageJob(
                spec.seed_of(split),
                split,
                index,
                first_id + index,
                grounds[index],
                tuple(objects),
                kinds[index].layout,
                spec.art,
            )
        )
    return jobs


def scene_of(job: ImageJob) -> Scene:
    """Draw one image; depends on the job alone."""
    rng = stream(job.seed, f"coco/{job.split}", job.index)
    return compose(
        rng,
        width=int(rng.integers(WIDTHS[0], WIDTHS[1] + 1)),
        height=int(rng.integers(HEIGHTS[0], HEIGHTS[1] + 1)),
        grounds=(job.ground,),
        concepts=job.objects,
        style=STYLES[job.art],
        layout=job.layout,
    )


def annotate(scene: Scene) -> list[Instance]:
    """Every object's visible mask as compressed RLE, its tight box and its area in pixels."""
    from pycocotools import mask as coco_mask

    instances = []
    for placed in scene.objects:
        rows, columns = np.flatnonzero(placed.mask.any(1)), np.flatnonzero(placed.mask.any(0))
        x, y = int(columns[0]), int(rows[0])
        code = coco_mask.encode(np.asfortranarray(placed.mask.astype(np.uint8)))
        instances.append(
            Instance(
                noun=placed.concept.noun,
                bbox=(x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y),
                area=int(placed.mask.sum()),
                segmentation={
                    "size": [int(side) for side in code["size"]],
                    "counts": code["counts"].decode(),
                },
            )
        )
    return instances


def draw_image(job: ImageJob) -> tuple[bytes, tuple[int, int], list[Instance]]:
    """The JPEG file, (width, height) and the annotations of one image."""
    scene = scene_of(job)
    height, width = scene.pixels.shape[:2]
    return scene.jpeg(), (width, height), annotate(scene)


def draw(folder: Path, spec: DemoSpec, workers: Workers, report: Callable[[int, int], None]) -> None:
    """Write ``{train,val,test}/*.jpg`` and ``annotations/instances_<split>.json`` into ``folder``."""
    names = [concept.noun for concept in select(spec.categories, among=spec.concepts)]
    numbers = {name: number for number, name in enumerate(names, start=1)}
    (folder / "annotations").mkdir(parents=True)
    done, total, annotation_id = 0, sum(sizes(spec).values()), 0
    for split in sizes(spec):
        (folder / split).mkdir()
        images, annotations = [], []
        jobs = plan(spec, split)
        for job, (jpeg, (width, height), instances) in zip(
            jobs, workers.map(draw_image, jobs, chunk=8), strict=True
        ):
            (folder / split / job.file_name).write_bytes(jpeg)
            images.append(
                {
                    "id": job.image_id,
                    "file_name": job.file_name,
                    "width": width,
                    "height": height,
                    "license": 1,
                }
            )
            for instance in instances:
                annotation_id += 1
                annotations.append(
                    {
                        "id": annotation_id,
                        "image_id": job.image_id,
                        "category_id": numbers[instance.noun],
                        "bbox": list(instance.bbox),
                        "area": instance.area,
                        "segmentation": instance.segmentation,
                        "iscrowd": 0,
                    }
                )
            done += 1
            report(done, total)
        content = {
            "info": {"description": f"Embedded demo data, {split}", "version": "1.0"},
            "licenses": [
                {
                    "id": 1,
                    "name": "CC BY-SA 4.0 (OpenMoji)",
                    "url": "https://creativecommons.org/licenses/by-sa/4.0/",
                }
            ],
            "images": images,
            "annotations": annotations,
            "categories": [
                {"id": number, "name": name, "supercategory": "thing"} for name, number in numbers.items()
            ],
        }
        (folder / "annotations" / f"instances_{split}.json").write_text(json.dumps(content))
