"""Intervals: how far a figure could be off because the test set is a sample. Light: no torch."""

from benchmark.statistics.interval import Interval
from benchmark.statistics.precision import FEWEST, splits, subsampled_mean
from benchmark.statistics.proportions import cluster_interval, wilson_interval
from benchmark.statistics.ratios import mean_ratio

__all__ = [
    "FEWEST",
    "Interval",
    "cluster_interval",
    "mean_ratio",
    "splits",
    "subsampled_mean",
    "wilson_interval",
]
