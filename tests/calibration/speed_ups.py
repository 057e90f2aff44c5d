"""How often the intervals of speed-ups hold the truth: simulated curves of known speed-up.

    python tests/calibration/speed_ups.py [--worlds 1000] [--quick]

Two objectives learn along one course, the second so many times as slowly (*planted*); each is seen at four
costs, each seed moves a whole curve and each of its points, and the test set moves each point. Printed for
every course, planted speed-up and number of seeds, of the ratio at the highest common quality (*at level*)
and its mean over the common range (*over range*): the share of worlds whose interval held the truth with the
share's standard error, the median estimate, and the median width as a ratio of the interval's ends. The truth
of several seeds is the ratio of the expected curves; of one seed, of these very runs on an endless test set,
since its interval is for the test set alone. *planted* in the last column is how often the interval held the
planted speed-up, which a curve that is straight between four points need not give. With *shared* the test set
moves the points of both curves together, as one test set does, and not each by itself, as the intervals
assume. One process; the full run takes minutes.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from benchmark.statistics import crossing
from benchmark.statistics.crossing import Curve, Ratio, compare

COSTS = np.array([10_240.0, 20_480.0, 40_960.0, 80_000.0])
TEST_ERROR = 2.0
"""Standard error of a point by the test set, in points of quality: about that of the demo's probe."""
SEED_OFFSET, SEED_POINT = 1.0, 0.7
"""Standard deviations over seeds: of whole curves, of each point."""

COURSES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "saturating": lambda cost: 60 * (1 - np.exp(-((cost / 40_000) ** 0.7))),
    "logarithmic": lambda cost: 10 * np.log2(1 + cost / 3000),
    "late": lambda cost: 55 / (1 + (30_000 / cost) ** 1.8),
}


@dataclass
class Row:
    """One line of the table; shares in percent."""

    course: str
    planted: float
    seeds: int
    shared: bool
    worlds: int
    what: str
    coverage: float
    standard_error: float
    estimate: float
    width: float
    planted_held: float


def curves(course: str, planted: float, seeds: int, shared: bool, generator: np.random.Generator) -> tuple:
    """The two curves as measured, and the two whose ratio is the truth."""
    noise = generator.standard_normal if not shared else None
    together = TEST_ERROR * generator.standard_normal()
    measured, true = [], []
    for stream, factor in enumerate((1.0, 1 / planted)):
        expected = COURSES[course](COSTS * factor)
        runs = expected + SEED_OFFSET * generator.standard_normal((seeds, 1))
        runs = runs + SEED_POINT * generator.standard_normal((seeds, len(COSTS)))
        # the seeds' test set is one
        test = TEST_ERROR * noise(len(COSTS)) if noise else together
        error = np.full(len(COSTS), TEST_ERROR)
        measured.append(Curve(COSTS, runs + test, error, stream))
        true.append(Curve(COSTS, runs if seeds == 1 else expected[None], np.zeros(len(COSTS)), stream))
    return measured, true


def simulate(course: str, planted: float, seeds: int, shared: bool, worlds: int) -> Iterator[Row]:
    """Both ratios in many worlds of one kind."""
    found: dict[str, list[tuple[Ratio, float]]] = {"at level": [], "over range": []}
    for world in range(worlds):
        generator = np.random.default_rng([seeds, round(10 * planted), world])
        measured, true = curves(course, planted, seeds, shared, generator)
        ours, theirs = compare(*measured), compare(*true)
        found["at level"].append((ours.at_level, theirs.at_level.value))
        found["over range"].append((ours.over_range, theirs.over_range.value))
    for what, pairs in found.items():
        # equal to the last digit where nothing is random, as at the end of both curves
        slack = 1 + 1e-9
        held = np.mean([ratio.low / slack <= truth <= ratio.high * slack for ratio, truth in pairs])
        yield Row(
            course, planted, seeds, shared, worlds, what, 100 * float(held),
            100 * math.sqrt(held * (1 - held) / worlds),
            float(np.median([ratio.value for ratio, _ in pairs])),
            float(np.median([ratio.high / ratio.low for ratio, _ in pairs])),
            100 * float(np.mean([ratio.low <= planted <= ratio.high for ratio, _ in pairs])),
        )  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", type=int, default=1000, help="per setting")
    parser.add_argument("--quick", action="store_true", help="100 worlds of fewer draws")
    options = parser.parse_args(arguments)
    worlds = 100 if options.quick else options.worlds
    if options.quick:
        crossing.DRAWS = 400
    print("course       planted seeds shared what        worlds coverage ± s.e.  estimate width  planted")
    for course in COURSES:
        for planted in (1.0, 2.0, 4.0):
            for seeds, shared in ((1, False), (1, True), (3, False), (3, True), (5, False)):
                for row in simulate(course, planted, seeds, shared, worlds):
                    print(
                        f"{row.course:12} {row.planted:7g} {row.seeds:5} {row.shared!s:6} {row.what:11} "
                        f"{row.worlds:6} {row.coverage:8.1f} ± {row.standard_error:4.1f} {row.estimate:9.2f} "
                        f"{row.width:5.2f} {row.planted_held:8.1f}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
