"""How many times cheaper one objective is than another: one ratio for each way of asking."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.speed.measure import Series
from benchmark.speed.study import Found, Study
from benchmark.statistics.interval import Interval
from benchmark.statistics.trimmed import paired_ratio, trimmed_mean

TURNS = "trimmed mean of ratios of turns"


@dataclass(frozen=True)
class Ratio:
    """The reference's cost over a contender's: above 1 the contender is the cheaper one.

    Attributes:
        metric: name of it in records.
        interval: the ratio; where it was counted and not timed, without a width.
        method: how it was made.
        rounds: turns behind it; None where it was counted.
    """

    metric: str
    interval: Interval
    method: str
    rounds: int | None = None


def ratios(study: Study, name: str, reference: str, size: int) -> list[Ratio]:
    """All ratios that were measured of a contender, in the order of the tables.

    ``cheaper_flops`` is (a); ``cheaper_same_batch`` (b) and ``cheaper_largest_batch`` (c) on noise;
    ``cheaper_real_pairs`` is (b) with the loader. All are per image. The fourth, ``cheaper_device_hours``
    (d), is predicted (`benchmark.speed.forecast`).

    Args:
        study: what was measured.
        name, reference: contenders.
        size: images per process of the same batch.
    """
    own, other = study.found[name], study.found[reference]
    found = []
    if own.flops and other.flops:
        counted = other.flops["total"] / own.flops["total"]
        found.append(Ratio("cheaper_flops", Interval(counted, counted, counted), "counted"))
    pairs = {
        "cheaper_same_batch": ((own.same, size), (other.same, size)),
        "cheaper_real_pairs": ((own.loaded, size), (other.loaded, size)),
        "cheaper_largest_batch": ((own.largest, own.largest_size), (other.largest, other.largest_size)),
    }
    for metric, sides in pairs.items():
        if all(side and side[0] for side in sides):
            (mine, batch), (theirs, other_batch) = sides
            scale = batch / other_batch
            interval = Interval(*(value * scale for value in paired_ratio(theirs.seconds, mine.seconds)[:3]))
            found.append(Ratio(metric, interval, TURNS, len(mine.seconds)))
    return found


def seconds_per_image(series: Series, size: int) -> float:
    """Of one process."""
    return trimmed_mean(series.seconds).value / size


def images_per_second(series: Series, size: int, processes: int) -> Interval:
    """Of all processes together, at so many images per process and step."""
    return trimmed_mean([size * processes / seconds for seconds in series.seconds])


def joules_per_image(series: Series, size: int, processes: int) -> Interval | None:
    """Of the whole machine's counters; None where there are none."""
    if not series.joules or min(series.joules) <= 0:
        return None
    return trimmed_mean([joules / (size * processes) for joules in series.joules])


def bound(found: Found, size: int) -> str | None:
    """What a training on the real pairs waits for: ``loader`` or ``step``; None where it was not measured."""
    if found.loader is None or found.same is None:
        return None
    return "loader" if found.loader < size / trimmed_mean(found.same.seconds).value else "step"
