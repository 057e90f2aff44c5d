"""Segmentation data in the ADEChallengeData2016 layout: grounds are stuff, objects things."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmark.demo_data.art import STYLES
from benchmark.demo_data.concepts import BACKGROUNDS, Concept, select
from benchmark.demo_data.scenes import Layout, Scene, compose
from benchmark.demo_data.spec import DemoSpec
from benchmark.demo_data.streams import deck, stream
from common.processes import Workers

#: Sides of images, in pixels, both ends included.
SIDES = (112, 144)
OBJECT_COUNTS = (0.2, 0.3, 0.25, 0.15, 0.1)
#: Chance of two grounds with a horizon.
P_HORIZON = 0.6
#: Chance that an object is of no class, so that index 0 ("other") occurs.
P_OTHER = 0.2
LAYOUT = Layout(36, 104, min_visible=0.5)
#: Folder names and file prefixes of ADEChallengeData2016.
SPLITS = {"training": "train", "validation": "val", "test": "test"}


@dataclass(frozen=True)
class MapJob:
    """One image to draw."""

    seed: int
    split: str
    index: int
    grounds: tuple[str, ...]
    objects: tuple[Concept, ...]
    classes: tuple[str, ...]
    art: str

    @property
    def stem(self) -> str:
        """File name without its ending, as in ADE20K: ``ADE_train_00000001``."""
        return f"ADE_{SPLITS[self.split]}_{self.index + 1:08d}"


def sizes(spec: DemoSpec) -> dict[str, int]:
    """Images per split."""
    return {
        "training": spec.semantic_train,
        "validation": spec.semantic_val,
        "test": spec.semantic_test,
    }


def class_names(spec: DemoSpec) -> tuple[str, ...]:
    """Names of the classes; the first has index 1, because 0 is "other"."""
    return BACKGROUNDS + tuple(concept.noun for concept in select(spec.things, among=spec.concepts))


def plan(spec: DemoSpec, split: str) -> list[MapJob]:
    """What every image of ``split`` shows; classes are about equally common."""
    total = sizes(spec)[split]
    rng = stream(spec.seed_of(split), f"ade20k/{split}/plan")
    things = select(spec.things, among=spec.concepts)
    others = [concept for concept in select(spec.concepts) if concept not in things]
    counts = rng.choice(len(OBJECT_COUNTS), size=total, p=OBJECT_COUNTS) + 1
    grounds = iter(deck(rng, BACKGROUNDS, 2 * total))
    cards = iter(deck(rng, things, int(counts.sum())))
    jobs = []
    for index in range(total):
        ground = [next(grounds), next(grounds)]
        if ground[0] == ground[1] or rng.random() >= P_HORIZON:
            ground = ground[:1]
        objects = []
        for _ in range(int(counts[index])):
            other = bool(others) and rng.random() < P_OTHER
            objects.append(others[int(rng.integers(len(others)))] if other else next(cards))
        jobs.append(
            MapJob(
                spec.seed_of(split),
                split,
                index,
                tuple(ground),
                tuple(objects),
                class_names(spec),
                spec.art,
            )
        )
    return jobs


def scene_of(job: MapJob) -> Scene:
    """Draw one image; depends on the job alone."""
    rng = stream(job.seed, f"ade20k/{job.split}", job.index)
    return compose(
        rng,
        width=int(rng.integers(SIDES[0], SIDES[1] + 1)),
        height=int(rng.integers(SIDES[0], SIDES[1] + 1)),
        grounds=job.grounds,
        concepts=job.objects,
        style=STYLES[job.art],
        layout=LAYOUT,
    )


def class_map(scene: Scene, classes: tuple[str, ...]) -> np.ndarray:
    """Class index per pixel, uint8 [height, width]: 1.. in the order of ``classes``, 0 for other things."""
    index = {name: number for number, name in enumerate(classes, start=1)}
    result = np.array([index[ground] for ground in scene.grounds], np.uint8)[scene.ground_map]
    for placed in scene.objects:
        result[placed.mask] = index.get(placed.concept.noun, 0)
    return result


def draw_image(job: MapJob) -> tuple[bytes, bytes]:
    """The JPEG file of one image and the PNG file of its class map."""
    scene = scene_of(job)
    buffer = io.BytesIO()
    Image.fromarray(class_map(scene, job.classes)).save(buffer, "PNG", optimize=True)
    return scene.jpeg(), buffer.getvalue()


def draw(folder: Path, spec: DemoSpec, workers: Workers, report: Callable[[int, int], None]) -> None:
    """Write ``images/<split>/``, ``annotations/<split>/`` and ``classes.csv`` into ``folder``."""
    done, total = 0, sum(sizes(spec).values())
    for split in SPLITS:
        images, annotations = folder / "images" / split, folder / "annotations" / split
        images.mkdir(parents=True)
        annotations.mkdir(parents=True)
        jobs = plan(spec, split)
        for job, (jpeg, png) in zip(jobs, workers.map(draw_image, jobs, chunk=8), strict=True):
            (images / f"{job.stem}.jpg").write_bytes(jpeg)
            (annotations / f"{job.stem}.png").write_bytes(png)
            done += 1
            report(done, total)
    lines = ["index,name,kind", "0,other,"]
    for number, name in enumerate(class_names(spec), start=1):
        lines.append(f"{number},{name},{'stuff' if name in BACKGROUNDS else 'thing'}")
    (folder / "classes.csv").write_text("\n".join(lines) + "\n")
