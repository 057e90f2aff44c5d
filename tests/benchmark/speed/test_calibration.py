"""Rates of this machine. How right they are is shown by tests/performance/bench_cost_model.py."""

from __future__ import annotations

import math

import pytest
import torch

from benchmark.speed import calibration
from benchmark.speed.calibration import calibrate
from benchmark.speed.cost_model import step_terms
from benchmark.speed.counting import count
from benchmark.speed.geometry import Geometry

GEOMETRY = Geometry(
    architecture="vit_nano_conv16",
    image_size=32,
    classes=50,
    objectives={"catlip": {}},
    batch_size=2,
    samples=100,
)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_every_operator_of_a_step_has_a_rate(precision, monkeypatch):
    monkeypatch.setattr(calibration, "REPEATS", 1)
    monkeypatch.setattr(calibration, "_FRESH", 2**20)
    monkeypatch.setattr(calibration, "_OTHERS", 2**20)
    work = count("catlip", GEOMETRY, 2, precision)
    device = calibrate([work], torch.device("cpu"), "here")
    assert device.name == "here"
    assert all(0 < rate < math.inf for rate in device.rates.values())
    missing = {operator for operator in work.operators if operator not in device.rates}
    assert all("norm" in operator.name for operator in missing)  # taken to be as fast as a copy
    assert step_terms(count("catlip", GEOMETRY, 4, precision), device).seconds > 0
