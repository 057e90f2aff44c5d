"""Two families of made-up segmentation test sets, as pixel counts per image and class.

The construction was developed on seed 0 of both; it is judged on seed 2. The first 12 classes count as
stuff, the others as things.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CLASSES = 36
STUFF = 12
PIXELS = 16_000


@dataclass(frozen=True)
class Regions:
    """Each image shows a few regions; of every region a share of pixels is right, the rest is a neighbour's.

    Attributes:
        skill: of the model; decides the mIoU.
        seed: of the classes' frequencies and difficulties.
    """

    skill: float
    seed: int = 0

    def draw(
        self, images: int, generator: np.random.Generator, model: np.random.Generator | None = None
    ) -> dict[str, np.ndarray]:
        """Images by the one generator, what is said of them by the other; default: by the same."""
        world = np.random.default_rng(self.seed)
        share = world.permutation(1 / np.arange(2, CLASSES + 2) ** 0.7)
        ease = world.normal(0, 1.0, CLASSES)
        size = world.lognormal(0, 0.6, CLASSES)
        slots = 5
        present = np.arange(slots) < (2 + generator.binomial(slots - 2, 0.4, images))[:, None]
        klass = generator.choice(CLASSES, (images, slots), p=share / share.sum())
        area = present * size[klass] * generator.lognormal(0, 0.8, (images, slots))
        area = np.floor(PIXELS * generator.uniform(0.6, 1.4, (images, 1)) * area / area.sum(1, keepdims=True))
        generator = model or generator
        chance = _logistic(
            self.skill
            + ease[klass]
            + generator.normal(0, 0.8, (images, 1))
            + generator.normal(0, 1.2, klass.shape)
        )
        right = np.floor(area * chance)
        neighbour = np.roll(klass, 1, axis=1)
        anything = generator.integers(CLASSES, size=klass.shape)
        wrong = np.where(generator.random(klass.shape) < 0.6, neighbour, anything)
        return _pixel_counts(images, klass, area, right, wrong)


@dataclass(frozen=True)
class Objects:
    """Grounds with small objects on them; an object is found almost whole or taken for another, by topic.

    Attributes:
        skill, seed: as of `Regions`.
    """

    skill: float
    seed: int = 0

    def draw(
        self, images: int, generator: np.random.Generator, model: np.random.Generator | None = None
    ) -> dict[str, np.ndarray]:
        """Images by the one generator, what is said of them by the other; default: by the same."""
        world = np.random.default_rng(self.seed + 1000)
        grounds, things = STUFF, CLASSES - STUFF
        hard = world.beta(1.2, 1.2, CLASSES)
        weight = world.dirichlet(np.full(things, 2.0), size=5) + 0.004
        weight /= weight.sum(1, keepdims=True)
        number = 1 + generator.binomial(4, 0.35, images)
        topic = generator.integers(5, size=images)
        object_class = grounds + np.stack([_choose(weight[topic], generator) for _ in range(5)], axis=1)
        object_class = np.minimum(object_class, CLASSES - 1)  # sums of shares may fall short of one
        ground = generator.integers(grounds, size=(images, 2))
        klass = np.concatenate([ground, object_class], axis=1)
        area = generator.gamma(1.2, 900.0, klass.shape) * (np.arange(-2, 5) < number[:, None])
        rest = np.maximum(PIXELS - area[:, 2:].sum(1), 1000.0)
        cut = generator.beta(2, 2, images) * (generator.random(images) < 0.6)
        area[:, 0], area[:, 1] = rest * (1 - cut), rest * cut
        area = np.floor(area)
        generator = model or generator
        luck = generator.normal(0, 0.7, (images, 1))
        known = generator.random(klass.shape) < _logistic(self.skill + luck + 3 * (0.5 - hard[klass]))
        right = np.floor(
            area * np.where(known, generator.beta(9, 1.5, klass.shape), generator.beta(1, 12, klass.shape))
        )
        confused = (klass + 1 + generator.integers(3, size=klass.shape)) % CLASSES
        wrong = np.where(known, ground[:, :1], confused)
        return _pixel_counts(images, klass, area, right, wrong)


def population(world: Regions | Objects, images: int = 400_000, seed: int = 10**6) -> np.ndarray:
    """Pixels [3, classes] in the intersection, the prediction and the label of a very large sample."""
    total = np.zeros((3, CLASSES))
    for block in range(images // 20_000):
        counts = world.draw(20_000, np.random.default_rng([seed, block]))
        total += [counts[key].sum(axis=0) for key in ("intersection", "predicted", "labelled")]
    return total


def _pixel_counts(
    images: int, klass: np.ndarray, area: np.ndarray, right: np.ndarray, wrong: np.ndarray
) -> dict[str, np.ndarray]:
    """Counts [images, classes] of regions [images, slots]: `right` pixels are `klass`, others `wrong`."""
    row = np.arange(images)[:, None] * CLASSES

    def summed(classes: np.ndarray, pixels: np.ndarray) -> np.ndarray:
        flat = np.bincount((row + classes).ravel(), pixels.ravel(), images * CLASSES)
        return flat.reshape(images, CLASSES)

    labelled, missed = summed(klass, area), area - right
    hits = summed(klass, right) + summed(klass, np.where(wrong == klass, missed, 0))
    predicted = summed(klass, right) + summed(wrong, missed)
    return {"intersection": hits, "predicted": predicted, "labelled": labelled}


def _choose(shares: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """One index per row of shares [N, K]."""
    return (np.cumsum(shares, axis=1) < generator.random(len(shares))[:, None]).sum(axis=1)


def _logistic(value: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-value))
