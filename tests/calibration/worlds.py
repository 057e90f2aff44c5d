"""Three families of made-up detection test sets whose population is known from a very large sample.

They are built differently, so that no construction is tuned to one: it was developed on `Scenes` and `Pools`
with seed 0; `Curves`, with seed 1, then confirmed it but for the mean exponent, which went from 0.55 to 0.5.
The table of `coverage.py` is of seed 2, which had no say.

A world gives the detections that `benchmark.metrics.coco_ap` would have matched: class, image, score and
overlap with the object found (0 for none).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmark.metrics.coco_ap import Matches

THRESHOLDS = np.arange(0.5, 0.96, 0.05)
CLASSES = 24


@dataclass
class Sample:
    """A detection test set: per detection class, image, score and overlap; objects per image and class."""

    klass: np.ndarray
    image: np.ndarray
    score: np.ndarray
    overlap: np.ndarray
    objects: np.ndarray

    def matches(self) -> Matches:
        """As `coco_ap.match` gives them, for objects of all sizes."""
        images = len(self.objects)
        groups = {}
        for k in range(self.objects.shape[1]):
            here = np.flatnonzero(self.klass == k)
            here = here[np.argsort(-self.score[here], kind="stable")]
            correct = self.overlap[here] >= THRESHOLDS[:, None]
            counted = np.ones_like(correct)
            groups[k, "all"] = (self.image[here], correct, counted, self.objects[:, k])
        return Matches(list(range(images)), np.zeros((images, 12)), groups)


@dataclass(frozen=True)
class Scenes:
    """Images of varying difficulty show several objects; a detector finds them more or less well.

    Attributes:
        skill: of the detector; decides the AP.
        tightness: mean overlap of what it finds (masks are looser than boxes).
        seed: of the classes' frequencies and difficulties.
    """

    skill: float
    tightness: float = 0.75
    seed: int = 0

    def draw(
        self, images: int, generator: np.random.Generator, detector: np.random.Generator | None = None
    ) -> Sample:
        """Images by the one generator, what is detected on them by the other; default: by the same."""
        world = np.random.default_rng(self.seed)
        share = 1 / np.arange(2, CLASSES + 2) ** 0.8
        share = world.permutation(share / share.sum())
        ease = world.normal(0, 0.7, CLASSES)
        clutter = world.gamma(2.0, 0.5, CLASSES)
        hard = generator.normal(0, 1, images)
        objects = generator.multinomial(1 + generator.poisson(3.0, images), share)
        generator = detector or generator
        image, klass = np.nonzero(objects)
        number = objects[image, klass]
        image, klass = np.repeat(image, number), np.repeat(klass, number)
        quality = self.skill + ease[klass] - 0.6 * hard[image] + generator.normal(0, 1, len(image))
        seen = generator.random(len(image)) < _logistic(1.0 + quality)
        image_t, klass_t, quality_t = image[seen], klass[seen], quality[seen]
        tight = np.log(self.tightness / (1 - self.tightness))
        overlap = _logistic(
            tight + 0.35 * quality_t - 0.35 * self.skill + generator.normal(0, 0.8, len(image_t))
        )
        score = quality_t + 0.8 * (overlap - self.tightness) * 4 + generator.normal(0, 0.7, len(image_t))
        # second detections of the same object
        again = generator.random(len(image_t)) < 0.25
        score_d = score[again] - generator.exponential(0.8, again.sum())
        # others out of nothing, more of them in hard images and for some classes
        rate = 6.0 * np.exp(0.5 * hard - 0.125)
        number = generator.poisson(rate)
        image_f = np.repeat(np.arange(images), number)
        klass_f = generator.choice(CLASSES, len(image_f), p=share * clutter / (share * clutter).sum())
        score_f = generator.normal(-0.6, 1.2, len(image_f)) + 0.2 * hard[image_f]
        nothing = np.zeros(len(score_d) + len(score_f))
        return Sample(
            np.concatenate([klass_t, klass_t[again], klass_f]),
            np.concatenate([image_t, image_t[again], image_f]),
            np.concatenate([score, score_d, score_f]),
            np.concatenate([overlap, nothing]),
            objects,
        )


@dataclass(frozen=True)
class Pools:
    """Detections first: each has a score, and is right with a chance that rises with it, not always steadily.

    Images have topics that share classes, heavy-tailed numbers of objects, and their own luck. What is found
    takes one of few overlaps.

    Attributes:
        skill, tightness, seed: as of `Scenes`.
    """

    skill: float
    tightness: float = 0.75
    seed: int = 0

    def draw(self, images: int, generator: np.random.Generator) -> Sample:
        world = np.random.default_rng(self.seed + 1000)
        share = world.dirichlet(np.full(CLASSES, 3.0)) + 0.01
        topics = world.dirichlet(0.3 * CLASSES * share / share.sum(), size=6) + 0.01 * share
        topics /= topics.sum(axis=1, keepdims=True)
        slope = world.uniform(1.0, 2.5, CLASSES)
        shift = world.normal(0, 0.6, CLASSES)
        dip = world.random(CLASSES) < 0.25  # classes whose surest detections are less often right
        topic = generator.integers(6, size=images)
        luck = generator.normal(0, 0.5, images)
        number = 2 + generator.negative_binomial(1.2, 1.2 / (1.2 + 12.0), images)
        image = np.repeat(np.arange(images), number)
        klass = _choose(topics[topic[image]], generator)
        score = generator.beta(0.6, 1.6, len(image))
        logit = self.skill + shift[klass] + luck[image] + slope[klass] * (4 * score - 1.5)
        logit -= np.where(dip[klass] & (score > 0.9), 1.5, 0)
        right = generator.random(len(image)) < _logistic(logit)
        steps = 20
        chance = np.clip(self.tightness + 0.15 * (score - 0.3) + 0.03 * luck[image], 0.05, 0.97)
        overlap = np.where(right, np.maximum(generator.binomial(steps, chance) / steps, 0.3), 0.0)
        objects = np.zeros((images, CLASSES), dtype=int)
        np.add.at(objects, (image[right], klass[right]), 1)
        # objects that no detection is at, more of them the less skilled the detector is
        missed = generator.poisson(1.5 * np.exp(-0.35 * self.skill - 0.3 * luck))
        image_m = np.repeat(np.arange(images), missed)
        np.add.at(objects, (image_m, _choose(topics[topic[image_m]], generator)), 1)
        return Sample(klass, image, score, overlap, objects)


@dataclass(frozen=True)
class Curves:
    """Scores of right and wrong detections are normal in each class; classes are equally common.

    Images hold more or fewer objects, and share a shift of all their scores.

    Attributes:
        skill, tightness, seed: as of `Scenes`.
    """

    skill: float
    tightness: float = 0.75
    seed: int = 0

    def draw(
        self, images: int, generator: np.random.Generator, detector: np.random.Generator | None = None
    ) -> Sample:
        """Images by the one generator, what is detected on them by the other; default: by the same."""
        world = np.random.default_rng(self.seed + 2000)
        apart = self.skill + world.normal(0, 0.5, CLASSES)
        found = _logistic(self.skill / 2 + world.normal(0.5, 0.5, CLASSES))
        tight = np.clip(self.tightness + world.normal(0, 0.04, CLASSES), 0.4, 0.95)
        crowding = generator.gamma(2.0, 0.5, images)
        shift = generator.normal(0, 0.4, images)
        objects = generator.poisson(4.5 / CLASSES * crowding[:, None] * np.ones(CLASSES))
        generator = detector or generator
        image, klass = np.nonzero(objects)
        number = objects[image, klass]
        image, klass = np.repeat(image, number), np.repeat(klass, number)
        seen = generator.random(len(image)) < found[klass]
        image, klass = image[seen], klass[seen]
        score = apart[klass] + generator.normal(0, 1, len(image)) + shift[image]
        overlap = generator.beta(12 * tight[klass], 12 * (1 - tight[klass]))
        image_f = np.repeat(np.arange(images), generator.poisson(8.0, images))
        klass_f = generator.integers(CLASSES, size=len(image_f))
        score_f = generator.normal(0, 1, len(image_f)) + shift[image_f]
        return Sample(
            np.concatenate([klass, klass_f]),
            np.concatenate([image, image_f]),
            np.concatenate([score, score_f]),
            np.concatenate([overlap, np.zeros(len(image_f))]),
            objects,
        )


def population(world: Scenes | Pools | Curves, images: int = 200_000, seed: int = 10**6) -> np.ndarray:
    """AP [classes, thresholds] in percent of a sample so large that it stands for the population."""
    matches = world.draw(images, np.random.default_rng(seed)).matches()
    table = matches.class_precision(np.ones((1, images), dtype=int))
    return 100 * table["all"][0]


def _choose(shares: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """One index per row of shares [N, K]."""
    return (
        (np.cumsum(shares, axis=1) < generator.random(len(shares))[:, None]).sum(axis=1).clip(max=CLASSES - 1)
    )


def _logistic(value: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-value))
