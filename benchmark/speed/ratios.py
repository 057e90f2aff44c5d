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


def ratios(study: Study, name: str, reference: str) -> list[Ratio]:
    """All ratios that were measured of a contender, in the order of the tables.

    ``cheaper_flops`` is (a), ``cheaper_same_batch`` (b) and ``cheaper_largest_batch`` (c) on noise, each in
    its own kind of turns; ``cheaper_real_pairs`` is (b) with the loader. All are per image.
    """
    own, other = study.found[name], study.found[reference]
    found = []
    if own.flops and other.flops:
        counted = other.flops["total"] / own.flops["total"]
        found.append(Ratio("cheaper_flops", Interval(counted, counted, counted), "counted"))
    for metric, field in (("cheaper_same_batch", "same"), ("cheaper_real_pairs", "loaded")):
        found += _timed(metric, getattr(own, field), getattr(other, field))
    if own.largest_size and other.largest_size:
        found += _timed("cheaper_largest_batch", own.largest, other.largest, own, other)
    return found


def _timed(metric: str, own: Series | None, other: Series | None, *sizes: Found) -> list[Ratio]:
    if own is None or other is None:
        return []
    interval = paired_ratio(other.seconds, own.seconds)
    if sizes:
        scale = sizes[0].largest_size / sizes[1].largest_size
        interval = Interval(*(value * scale for value in interval[:3]))
    return [Ratio(metric, interval, TURNS, len(own.seconds))]


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
