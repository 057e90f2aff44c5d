"""How often the intervals of records hold the population's value: simulated test sets of known truth.

    python tests/calibration/coverage.py [--worlds 1000] [--quick] [--only mAP mIoU ...] [--out FILE]

Prints, and writes as CSV, for every metric, number of images (classes) and true value: how many worlds were
drawn, the share whose interval held the truth with the share's standard error, the shares whose interval lay
below and above it, the mean width, and the figure's bias beside its mean estimate. *chosen* is the
construction of the records; *percentile*, *basic* and *recentred* (percentiles less the bootstrap's own bias,
as of protocol 2) are bootstraps over images, on fewer worlds because they are slow. Everything is in percent.
One process, one thread; the full run takes about an hour.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # first: tests/ has a folder benchmark, too
from calibration import differences, worlds
from calibration import segmentation_worlds as pixels

from benchmark.metrics import coco_ap
from benchmark.metrics.multilabel import averages
from benchmark.metrics.multilabel import intervals as intervals_of
from benchmark.statistics.coverage import CHOSEN, TABLE
from benchmark.statistics.interval import Interval
from benchmark.statistics.proportions import cluster_interval, wilson_interval
from benchmark.statistics.ratios import mean_ratio

SEED = 2
"""Of the worlds' classes; the constructions were settled on others."""

# Skill and tightness, for true AP of about 2 to 60; of the second, overlaps are loose, as masks' are.
DETECTION = {
    worlds.Scenes: ((-3.0, 0.75), (-1.0, 0.68), (1.1, 0.75), (3.0, 0.9)),
    worlds.Curves: ((-0.4, 0.7), (0.9, 0.65), (2.0, 0.75), (3.4, 0.88)),
    worlds.Pools: ((-4.0, 0.75), (-2.0, 0.68), (0.3, 0.75), (2.0, 0.88)),
}
SEGMENTATION = {pixels.Regions: (-3.0, -1.0, 0.5, 2.0), pixels.Objects: (-3.0, -1.0, 0.5, 3.0)}
SLOW = 50
"""Worlds of which the bootstraps are computed."""


@dataclass
class Row:
    """One line of the table; all but the first five in percent."""

    metric: str
    construction: str
    family: str
    units: int
    worlds: int
    truth: float
    coverage: float
    standard_error: float
    below: float
    above: float
    width: float
    bias: float
    bias_estimated: float | None


def summary(metric: str, construction: str, family: str, units: int, truth: float, found: list) -> Row:
    """One line from the intervals of many worlds, in percent."""
    value, low, high = np.array([interval[:3] for interval in found], dtype=float).T
    biases = [interval.bias for interval in found if interval.bias is not None]
    below, above = 100 * np.mean(high < truth), 100 * np.mean(low > truth)
    share = 100 - below - above
    error = np.sqrt(share * (100 - share) / len(found))
    numbers = (truth, share, error, below, above, np.mean(high - low), np.mean(value) - truth)
    rounded = (round(float(number), 3) for number in numbers)
    estimated = round(float(np.mean(biases)), 3) if biases else None
    return Row(metric, construction, family, units, len(found), *rounded, estimated)


def bootstraps(value: float, drawn: np.ndarray) -> dict[str, Interval]:
    """Three bootstrap intervals from the statistic's resamples."""
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    shift = np.nanmean(drawn) - value
    return {
        "percentile": Interval(value, low, high),
        "basic": Interval(value, 2 * value - high, 2 * value - low),
        "recentred": Interval(value, low - shift, high - shift),
    }


def resample_counts(units: int, generator: np.random.Generator, number: int = 200) -> np.ndarray:
    """How often each unit is drawn, [number, units]."""
    return generator.multinomial(units, np.full(units, 1 / units), size=number)


def average_precision(images: int, number: int, slow: int, families: tuple) -> Iterator[Row]:
    """mAP and mAP_50 of detection worlds."""
    for family in families:
        for skill, tightness in DETECTION[family]:
            world = family(skill, tightness, SEED)
            table = worlds.population(world)
            truths = {"mAP": table.mean(), "mAP_50": table[:, 0].mean()}
            found: dict[tuple[str, str], list[Interval]] = {}
            for index in range(number):
                matches = world.draw(images, np.random.default_rng([SEED, index])).matches()
                chosen = coco_ap.intervals(matches)
                for name in truths:
                    found.setdefault((name, CHOSEN), []).append(chosen[name])
                if index < slow:
                    counts = resample_counts(images, np.random.default_rng([SEED, index, 1]))
                    drawn = matches.average_precision(counts)["mAP"]
                    for other, interval in bootstraps(chosen["mAP"].value, drawn).items():
                        found.setdefault(("mAP", other), []).append(interval)
            for (name, construction), intervals in found.items():
                yield summary(name, construction, family.__name__, images, truths[name], intervals)


def segmentation(images: int, number: int, slow: int) -> Iterator[Row]:
    """mIoU over all, things and stuff, mAcc and aAcc of segmentation worlds."""
    for family, skills in SEGMENTATION.items():
        for skill in skills:
            world = family(skill, SEED)
            both, predicted, labelled = pixels.population(world)
            truths = {
                name: 100 * np.mean(part / whole)
                for name, (part, whole) in _ratios(both[None], predicted[None], labelled[None]).items()
            }
            found: dict[tuple[str, str], list[Interval]] = {}
            for index in range(number):
                counts = world.draw(images, np.random.default_rng([SEED, index]))
                ratios = _ratios(*(counts[key] for key in ("intersection", "predicted", "labelled")))
                for name, (part, whole) in ratios.items():
                    chosen = Interval(*(100 * bound for bound in mean_ratio(part, whole)))
                    found.setdefault((name, CHOSEN), []).append(chosen)
                    if index < slow and name in ("mIoU", "mAcc", "aAcc"):
                        drawn = resample_counts(images, np.random.default_rng([SEED, index, 1])).astype(float)
                        with np.errstate(invalid="ignore"):
                            values = 100 * np.nanmean((drawn @ part) / (drawn @ whole), axis=1)
                        for other, interval in bootstraps(chosen.value, values).items():
                            found.setdefault((name, other), []).append(interval)
            for (name, construction), intervals in found.items():
                yield summary(name, construction, family.__name__, images, truths[name], intervals)


def _ratios(both: np.ndarray, predicted: np.ndarray, labelled: np.ndarray) -> dict[str, tuple]:
    union = predicted + labelled - both
    stuff, things = slice(0, pixels.STUFF), slice(pixels.STUFF, None)
    return {
        "mIoU": (both, union),
        "mIoU_things": (both[:, things], union[:, things]),
        "mIoU_stuff": (both[:, stuff], union[:, stuff]),
        "mAcc": (both, labelled),
        "aAcc": (both.sum(axis=1, keepdims=True), labelled.sum(axis=1, keepdims=True)),
    }


def accuracy(classes: int, number: int) -> Iterator[Row]:
    """Top-1 of a probe whose classes have one drawing each, 30 images of it; and of independent images."""
    labels = np.repeat(np.arange(classes), 30)
    for spread, family in ((0.3, "split classes"), (2.0, "mixed classes")):
        for truth in (0.05, 0.3, 0.66, 0.9):
            generator = np.random.default_rng([SEED, classes])
            found: dict[tuple[str, str], list[Interval]] = {}
            for _ in range(number):
                chance = generator.beta(spread * truth, spread * (1 - truth), classes)
                hits = generator.random(len(labels)) < np.repeat(chance, 30)
                independent = generator.random(len(labels)) < truth
                for name, construction, interval in (
                    ("accuracy over classes", CHOSEN, cluster_interval(hits, labels)),
                    ("accuracy over classes", "wilson over images", wilson_interval(hits.sum(), len(hits))),
                    ("accuracy over images", CHOSEN, wilson_interval(independent.sum(), len(labels))),
                ):
                    percent = Interval(*(100 * bound for bound in interval[:3]))
                    found.setdefault((name, construction), []).append(percent)
            for (name, construction), intervals in found.items():
                if name == "accuracy over classes" or spread == 2.0:
                    over_classes = name == "accuracy over classes"
                    world, units = (family, classes) if over_classes else ("independent", len(labels))
                    yield summary(name, construction, world, units, 100 * truth, intervals)


def multilabel(images: int, number: int, slow: int, resamples: int = 200) -> Iterator[Row]:
    """Macro, micro and weighted mAP of images that show any of 24 classes, from rare to common.

    In the second family images differ in how hard they are, and classes come together.
    """
    for family, together in (("Single", 0.0), ("Together", 1.0)):
        for skill in (0.5, 1.5, 3.0):
            draw = partial(_labels_and_scores, together, skill)
            truths = averages(*draw(differences.POPULATION, np.random.default_rng([SEED, 1])))
            found: dict[tuple[str, str], list[Interval]] = {}
            for index in range(number):
                labels, scores = draw(images, np.random.default_rng([SEED, 2, index]))
                for name, interval in intervals_of(labels, scores, resamples, 30).items():
                    percent = Interval(*(100 * bound for bound in interval))
                    found.setdefault((name, CHOSEN), []).append(percent)
                if index >= slow:
                    continue
                weights = resample_counts(images, np.random.default_rng([SEED, 3, index]), resamples)
                drawn = averages(labels, scores, weights.astype(float))
                for name in drawn:
                    value = found[name, CHOSEN][index].value
                    for other, interval in bootstraps(value, 100 * drawn[name]).items():
                        found.setdefault((name, other), []).append(interval)
            for (name, construction), intervals in found.items():
                truth = 100 * float(truths[name][0])
                yield summary(f"multi-label {name}", construction, family, images, truth, intervals)


def _labels_and_scores(
    together: float,
    skill: float,
    images: int,
    generator: np.random.Generator,
    model: np.random.Generator | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """[N, 24] bool and [N, 24] of one test set: images by the one generator, scores by the other, if any."""
    fixed = np.random.default_rng([SEED, 24])
    skills, mixing = skill * fixed.uniform(0.5, 1.5, 24), fixed.normal(size=(3, 24)) / np.sqrt(3)
    scene = generator.normal(size=(images, 3)) @ mixing
    labels = generator.normal(size=(images, 24)) + together * scene < np.linspace(-2.2, 0.2, 24)
    generator = model or generator
    hard = np.exp(0.6 * together * generator.normal(size=(images, 1)))
    return labels, skills * labels + hard * generator.normal(size=(images, 24))


def paired(simulation: Iterator[differences.Found]) -> Iterator[Row]:
    """Lines of two models' differences."""
    for metric, family, units, truth, found in simulation:
        yield summary(metric, CHOSEN, family, units, truth, found)


def plan(worlds_each: int, quick: bool) -> list[tuple[str, Callable[[], Iterator[Row]]]]:
    """What is simulated, by the name ``--only`` takes, the most wanted first."""
    number = 40 if quick else worlds_each
    slow = 10 if quick else min(SLOW, worlds_each)
    large = 2 if quick else max(10, worlds_each // 40)
    families = (worlds.Scenes, worlds.Curves, worlds.Pools)
    few = 10 if quick else min(number, 500)
    single = partial(_labels_and_scores, 0.0)
    jobs: list[tuple[str, Callable[[], Iterator[Row]]]] = []
    for classes in (20, 80):
        jobs.append(("accuracy", lambda classes=classes: accuracy(classes, number)))
    for images in (100, 400):
        jobs.append(("multi-label", lambda images=images: multilabel(images, few, slow)))
    for images in (100, 400):
        jobs.append(("mIoU", lambda images=images: segmentation(images, number, slow)))
    jobs.append(("mIoU", lambda: segmentation(5000, large, 0)))
    for family in families:
        for images in (100, 400):
            jobs.append(
                ("mAP", lambda images=images, f=family: average_precision(images, number, slow, (f,)))
            )
    jobs.append(("mAP", lambda: average_precision(5000, large, 0, families)))
    for images in (100, 400):
        jobs += [
            ("differences", lambda images=images: paired(differences.accuracy(images, number))),
            ("differences", lambda images=images: paired(differences.segmentation(images, number))),
            ("differences", lambda images=images: paired(differences.multi_label(images, few, single))),
            ("differences", lambda images=images: paired(differences.average_precision(images, number))),
        ]
    return jobs


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", type=int, default=1000, help="per setting; a 40th of it at 5,000 images")
    parser.add_argument("--quick", action="store_true", help="40 worlds per setting: a few minutes")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=["accuracy", "mAP", "mIoU", "multi-label", "differences"],
        help="these metrics alone; --out keeps its lines of the others",
    )
    parser.add_argument("--out", type=Path, help=f"CSV to write (the committed one is {TABLE.name})")
    options = parser.parse_args(arguments)
    if options.worlds < 2:
        parser.error("--worlds must be at least 2")
    rows: list[Row] = []
    kept = _kept(options.out) if options.only and options.out else []
    print("metric, construction, family, units, worlds, truth: coverage ± s.e. (below, above) width; bias")
    for name, job in plan(options.worlds, options.quick):
        if options.only and name not in options.only:
            continue
        begin = time.perf_counter()
        for row in job():
            rows.append(row)
            estimated = "" if row.bias_estimated is None else f" ({row.bias_estimated:+.2f})"
            print(
                f"{row.metric:21} {row.construction:18} {row.family:13} {row.units:5} {row.worlds:5} "
                f"{row.truth:5.1f}: {row.coverage:5.1f} ± {row.standard_error:3.1f} "
                f"({row.below:4.1f}, {row.above:4.1f}) {row.width:6.2f}; {row.bias:+5.2f}{estimated}",
                flush=True,
            )
            if options.out:
                write(rows, options.out, kept)
        print(f"  {time.perf_counter() - begin:.0f} s", flush=True)


def write(rows: list[Row], file: Path, kept: Sequence[dict[str, str]] = ()) -> None:
    """The table as CSV; of an earlier one the lines of other metrics are kept."""
    new = [asdict(row) for row in rows]
    others = [row for row in kept if row["metric"] not in {row["metric"] for row in new}]
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(new[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows([*others, *new])


def _kept(file: Path) -> list[dict[str, str]]:
    if not file.is_file():
        return []
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


if __name__ == "__main__":
    main()
