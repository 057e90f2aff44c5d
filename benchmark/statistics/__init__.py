"""Intervals: how far a figure could be off because the test set is a sample. Light: no torch."""

from benchmark.statistics.bootstrap import bootstrap_sums
from benchmark.statistics.interval import Interval
from benchmark.statistics.proportions import cluster_interval, wilson_interval

__all__ = ["Interval", "bootstrap_sums", "cluster_interval", "wilson_interval"]
