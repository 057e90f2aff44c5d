"""How far results of repeated runs lie apart, and which repetition moves them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Spread(NamedTuple):
    """Standard deviations of a figure over repeated runs, in its unit; None where there is one run only.

    Attributes:
        total: of all runs.
        pretraining: between pre-trainings, without what the transfers below them add; None unless there are
            several of both.
        transfer: between transfers of one pre-training; None unless there are several of both.
    """

    total: float | None
    pretraining: float | None = None
    transfer: float | None = None


def spread(values: Mapping[int | None, Sequence[float]]) -> Spread:
    """Standard deviations over seeds (one-way random effects, as for instance Searle et al. 1992, chapter 3).

    Args:
        values: pre-training seed -> the figures of its transfers.
    """
    groups = list(values.values())
    every = [value for group in groups for value in group]
    total = statistics.stdev(every) if len(every) > 1 else None
    if len(groups) < 2 or min(map(len, groups)) < 2:
        return Spread(total)
    within = statistics.mean(map(statistics.variance, groups))
    size = len(groups) / sum(1 / len(group) for group in groups)  # harmonic mean, where sizes differ
    between = statistics.variance(map(statistics.mean, groups)) - within / size
    return Spread(total, max(0.0, between) ** 0.5, within**0.5)
