"""The plot of images per second against processes."""

from __future__ import annotations

from benchmark.reporting.scaling_plot import write_scaling_plot
from benchmark.speed.cost_model import Prediction, Terms


def test_it_is_drawn_with_and_without_measurements(tmp_path):
    terms = Terms(0.1, 0.1, 0.1, 0.1)
    predicted = [
        Prediction(name, "h200", n, 64, terms, 0, 0) for name in ("catlip", "other") for n in (8, 1024)
    ]
    both = write_scaling_plot(predicted, {"catlip": {1: 10.0, 2: 19.0}}, tmp_path / "a.png", "two cores")
    alone = write_scaling_plot(predicted, {}, tmp_path / "b.svg", "two cores")
    assert both.stat().st_size and alone.stat().st_size
