"""Classification data in the ImageFolder layout: one object on a ground per image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmark.demo_data.art import STYLES
from benchmark.demo_data.concepts import BACKGROUNDS, Concept, select
from benchmark.demo_data.scenes import Layout, compose
from benchmark.demo_data.spec import DemoSpec
from benchmark.demo_data.streams import deck, stream
from common.processes import Workers

#: Size of the object as a share of the image's side.
SMALLEST, LARGEST = 0.42, 0.80


@dataclass(frozen=True)
class ClassJob:
    """One image to draw; ``index`` counts over the whole split."""

    seed: int
    split: str
    index: int
    name: str
    side: int
    concept: Concept
    ground: str
    art: str


def plan(spec: DemoSpec) -> list[ClassJob]:
    """Every image of every split; the grounds are spread evenly and say nothing about the class."""
    concepts = select(spec.classes, among=spec.concepts)
    jobs = []
    for split, each in (("train", spec.class_train), ("val", spec.class_val), ("test", spec.class_test)):
        grounds = deck(
            stream(spec.seed_of(split), f"classification/{split}/plan"), BACKGROUNDS, each * len(concepts)
        )
        for index, ground in enumerate(grounds):
            concept, number = concepts[index // each], index % each
            name = f"{split}/{concept.noun}/{concept.noun}_{number:04d}.jpg"
            seed = spec.seed_of(split)
            jobs.append(ClassJob(seed, split, index, name, spec.image_size, concept, ground, spec.art))
    return jobs


def draw_image(job: ClassJob) -> bytes:
    """Draw one image as JPEG; depends on the job alone."""
    scene = compose(
        stream(job.seed, f"classification/{job.split}", job.index),
        width=job.side,
        height=job.side,
        grounds=(job.ground,),
        concepts=(job.concept,),
        style=STYLES[job.art],
        layout=Layout(SMALLEST * job.side, LARGEST * job.side, min_visible=0.88),
    )
    return scene.jpeg()


def draw(folder: Path, spec: DemoSpec, workers: Workers, report: Callable[[int, int], None]) -> None:
    """Write ``{train,val,test}/<class>/<class>_0000.jpg`` into ``folder``."""
    jobs = plan(spec)
    for done, (job, jpeg) in enumerate(zip(jobs, workers.map(draw_image, jobs), strict=True), start=1):
        path = folder / job.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg)
        report(done, len(jobs))
