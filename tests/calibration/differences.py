"""Two models on the same made-up test sets: how often the interval of their difference holds the truth.

Of two models that are equally good in truth that is also how often a test at 5 % keeps silent. Models share
the images and what makes these hard, not what they answer. Part of the table of `coverage.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from calibration import segmentation_worlds as pixels
from calibration import worlds

from benchmark.metrics import coco_ap, multilabel
from benchmark.statistics import precision, ratios
from benchmark.statistics.difference import Difference, of_shares
from benchmark.statistics.interval import Interval

SEED = 4
"""Of the worlds' classes; other than that of the single intervals."""

DETECTION = {worlds.Scenes: ((-1.0, 0.68), (1.1, 0.75)), worlds.Curves: ((0.9, 0.65), (2.0, 0.75))}
SEGMENTATION = {pixels.Regions: (-1.0, 1.0), pixels.Objects: (-1.0, 1.0)}
APART = (0.0, 0.5)
"""How much more skilled the first model is."""

POPULATION = 300_000
"""Images that stand for the population of multi-label worlds."""

Found = tuple[str, str, int, float, list[Interval]]
"""Metric, family, number of units, truth, intervals of all worlds: what a line of the table is made of."""


def average_precision(images: int, number: int) -> Iterator[Found]:
    """Difference of mAP."""
    for family, settings in DETECTION.items():
        for skill, tightness in settings:
            base = family(skill, tightness, SEED)
            level = worlds.population(base).mean()
            for apart in APART:
                better = replace(base, skill=skill + apart)
                truth = worlds.population(better).mean() - level if apart else 0.0
                found = []
                for index in range(number):
                    one, other = (
                        coco_ap.parts_of(
                            world.draw(
                                images,
                                np.random.default_rng([SEED, index]),
                                np.random.default_rng([SEED, index, model]),
                            ).matches()
                        )["mAP"]
                        for model, world in ((1, better), (2, base))
                    )
                    found.append(interval_of(precision.difference(one, other)))
                yield "difference of mAP", _name(family.__name__, level, apart), images, truth, found


def segmentation(images: int, number: int) -> Iterator[Found]:
    """Difference of mIoU."""
    for family, skills in SEGMENTATION.items():
        for skill in skills:
            base = family(skill, SEED)
            level = _mean_iou(pixels.population(base))
            for apart in APART:
                better = replace(base, skill=skill + apart)
                truth = _mean_iou(pixels.population(better)) - level if apart else 0.0
                found = []
                for index in range(number):
                    pair = []
                    for model, world in ((1, better), (2, base)):
                        counts = world.draw(
                            images,
                            np.random.default_rng([SEED, index]),
                            np.random.default_rng([SEED, index, model]),
                        )
                        both = counts["intersection"]
                        pair.append((both, counts["predicted"] + counts["labelled"] - both))
                    found.append(interval_of(ratios.difference(*pair).scaled(100)))
                yield "difference of mIoU", _name(family.__name__, level, apart), images, truth, found


def accuracy(images: int, number: int) -> Iterator[Found]:
    """Difference of accuracies over independent images, and over classes of 15 images of one drawing each."""
    for truth, level in ((0.0, 0.3), (0.0, 0.85), (0.1, 0.5)):
        generator = np.random.default_rng([SEED, images])
        single, clustered = [], []
        labels = np.repeat(np.arange(images // 5), 15)
        for _ in range(number):
            ease = generator.normal(0, 1, images)
            single.append(interval_of(of_shares(*_answers(level, truth, ease, generator)).scaled(100)))
            common = np.repeat(generator.normal(0, 1.2, images // 5), 15)
            own = (np.repeat(generator.normal(0, 0.8, images // 5), 15) for _ in range(2))
            answers = _answers(level, truth, common, generator, tuple(own))
            clustered.append(interval_of(of_shares(*answers, labels).scaled(100)))
        rates = [
            100 * float(np.subtract(*(a.mean() for a in _answers(level, truth, *_many(spread)))))
            for spread in ((1.0, 0.0), (1.2, 0.8))
        ]
        if truth == 0:
            rates = [0.0, 0.0]
        family = _name("independent", 100 * level, truth)
        yield "difference of accuracy over images", family, images, rates[0], single
        yield "difference of accuracy over classes", family, images // 5, rates[1], clustered


def multi_label(images: int, number: int, draw: Any) -> Iterator[Found]:
    """Difference of macro mAP.

    Args:
        draw: (skill, images, generator of images, generator of scores) -> labels [N, K] and scores [N, K].
    """
    for skill, apart in ((1.5, 0.0), (1.5, 0.3)):
        generators = partial(np.random.default_rng, [SEED, 1])
        level, better = (
            100 * float(multilabel.averages(*draw(s, POPULATION, generators(), generators()))["mAP"][0])
            for s in (skill, skill + apart)
        )
        found = []
        for index in range(number):
            images_of = partial(np.random.default_rng, [SEED, 2, index])
            labels, first = draw(skill + apart, images, images_of(), np.random.default_rng([SEED, 3, index]))
            _, second = draw(skill, images, images_of(), np.random.default_rng([SEED, 4, index]))
            difference = multilabel.difference(labels, first, second)["mAP"]
            found.append(interval_of(difference.scaled(100)))
        yield "difference of multi-label mAP", _name("Single", level, apart), images, better - level, found


def interval_of(difference: Difference) -> Interval:
    """The interval of a difference as the table of single ones has it."""
    return Interval(difference.value, *difference.interval(), difference.value - difference.estimate)


def _answers(
    level: float,
    apart: float,
    ease: np.ndarray,
    generator: np.random.Generator,
    own: tuple[np.ndarray, ...] = (0.0, 0.0),
) -> tuple[np.ndarray, np.ndarray]:
    """Right or wrong [N] of two models of about these accuracies, the first better by `apart`."""
    base = np.log(level / (1 - level))
    return tuple(
        (ease + own[model] + base + shift + generator.logistic(0, 1, len(ease)) > 0).astype(float)
        for model, shift in ((0, 4 * apart), (1, 0.0))
    )


def _many(spread: tuple[float, float], number: int = 2_000_000) -> tuple:
    generator = np.random.default_rng([SEED, 9])
    own = tuple(generator.normal(0, spread[1], number) for _ in range(2))
    return generator.normal(0, spread[0], number), generator, own


def _mean_iou(counts: np.ndarray) -> float:
    both, predicted, labelled = counts
    return 100 * float(np.mean(both / (predicted + labelled - both)))


def _name(family: str, level: float, apart: float) -> str:
    return f"{family}, {level:.0f} against {'a better one' if apart else 'an equal one'}"
