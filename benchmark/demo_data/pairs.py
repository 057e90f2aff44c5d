"""Pre-training data: image-text pairs in WebDataset shards as img2dataset writes them, Twemoji's art only."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmark.demo_data.art import TWEMOJI
from benchmark.demo_data.concepts import BACKGROUNDS, Concept, select
from benchmark.demo_data.scenes import Layout, compose
from benchmark.demo_data.spec import DemoSpec, Wording
from benchmark.demo_data.streams import deck, stream
from benchmark.demo_data.text import caption
from common.processes import Workers

#: Chance of 1, 2, 3, 4 and 5 objects: 1 to 3 is what a small network learns from in minutes.
OBJECT_COUNTS = (0.30, 0.32, 0.22, 0.10, 0.06)
#: Chance that an object repeats the scene's first concept, so that plurals occur.
P_REPEAT = 0.12
#: Size of objects as a share of the image's side.
SMALLEST, LARGEST = 0.25, 0.62


@dataclass(frozen=True)
class PairJob:
    """One pair to draw."""

    seed: int
    split: str
    index: int
    side: int
    ground: str
    objects: tuple[Concept, ...]
    others: tuple[Concept, ...]
    captions: Wording


@dataclass(frozen=True)
class Pair:
    """One drawn pair: the JPEG file, the caption, and what is really on the picture."""

    jpeg: bytes
    caption: str
    objects: tuple[str, ...]
    ground: str


def plan(spec: DemoSpec, split: str) -> list[PairJob]:
    """What every pair of ``split`` ("train" or "val") shows; concepts and grounds are equally common."""
    total = spec.pairs if split == "train" else spec.val_pairs
    rng = stream(spec.seed, f"pairs/{split}/plan")
    concepts = select(spec.concepts)
    counts = rng.choice(len(OBJECT_COUNTS), size=total, p=OBJECT_COUNTS) + 1
    grounds = deck(rng, BACKGROUNDS, total)
    cards = iter(deck(rng, concepts, int(counts.sum())))
    jobs = []
    for index in range(total):
        objects = [next(cards)]
        for _ in range(int(counts[index]) - 1):
            card = next(cards)
            objects.append(objects[0] if rng.random() < P_REPEAT else card)
        jobs.append(
            PairJob(
                spec.seed,
                split,
                index,
                spec.image_size,
                grounds[index],
                tuple(objects),
                concepts,
                spec.captions,
            )
        )
    return jobs


def draw_pair(job: PairJob) -> Pair:
    """Draw one pair; depends on the job alone."""
    rng = stream(job.seed, f"pairs/{job.split}", job.index)
    layout = Layout(SMALLEST * job.side, LARGEST * job.side, min_visible=0.55)
    scene = compose(
        rng,
        width=job.side,
        height=job.side,
        grounds=(job.ground,),
        concepts=job.objects,
        style=TWEMOJI,
        layout=layout,
    )
    seen = [placed.concept for placed in scene.objects]
    text = caption(rng, seen, job.ground, job.others, job.captions)
    return Pair(scene.jpeg(), text, tuple(concept.noun for concept in seen), job.ground)


def draw(folder: Path, spec: DemoSpec, workers: Workers, report: Callable[[int, int], None]) -> None:
    """Write ``train/`` and ``val/`` shards into ``folder``.

    Each sample is ``<key>.jpg``, ``<key>.txt`` (the caption) and ``<key>.json`` (caption, key, width, height,
    and under ``truth`` the concepts and the ground that are really on the picture, for judging labels;
    training never reads it).
    """
    done = 0
    for split in ("train", "val"):
        (folder / split).mkdir(parents=True)
        jobs = plan(spec, split)
        drawn = workers.map(draw_pair, jobs)
        for shard, start in enumerate(range(0, len(jobs), spec.pairs_per_shard)):
            path = folder / split / f"{shard:05d}.tar"
            with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
                for position in range(min(spec.pairs_per_shard, len(jobs) - start)):
                    for name, data in _files(f"{shard:05d}{position:04d}", next(drawn), spec.image_size):
                        # TarInfo's own defaults (no owner, time zero) keep equal seeds byte-identical.
                        entry = tarfile.TarInfo(name)
                        entry.size = len(data)
                        tar.addfile(entry, io.BytesIO(data))
                    done += 1
                    report(done, spec.pairs + spec.val_pairs)


def _files(key: str, pair: Pair, side: int) -> Iterator[tuple[str, bytes]]:
    meta = {
        "caption": pair.caption,
        "key": key,
        "width": side,
        "height": side,
        "truth": {"objects": list(pair.objects), "ground": pair.ground},
    }
    yield f"{key}.jpg", pair.jpeg
    yield f"{key}.txt", pair.caption.encode()
    yield f"{key}.json", json.dumps(meta).encode()
