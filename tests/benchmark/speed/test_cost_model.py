"""Seconds, memory and device-hours, predicted; and what was measured on an H200."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.speed.cost_model import (
    device_hours,
    largest_batch,
    predict,
    relative_hours,
    ring_seconds,
    scaling,
    step_terms,
)
from benchmark.speed.counting import Work, count
from benchmark.speed.devices import DEVICES
from benchmark.speed.geometry import Geometry, load_geometry

TEXT = {"embed_dim": 8, "text_width": 16, "text_layers": 1, "text_heads": 2, "context_length": 8}
GEOMETRY = Geometry(
    architecture="vit_nano_conv16",
    image_size=32,
    classes=50,
    objectives={"catlip": {}, "clip": TEXT},
    batch_size=2,
    samples=100,
)
H200 = DEVICES["h200"]
MEASURED = Path(__file__).parents[2] / "fixtures" / "h200_steps.csv"


def measured() -> dict[tuple[str, int], tuple[float, int]]:
    rows = csv.DictReader(line for line in MEASURED.read_text().splitlines() if not line.startswith("#"))
    return {
        (row["objective"], int(row["batch_size"])): (float(row["seconds"]), int(row["peak_bytes"]))
        for row in rows
    }


@pytest.mark.parametrize("name", ["catlip", "clip"])
def test_memory_and_seconds_on_an_h200(name):
    """Seconds within 20 % at 1,024 images and per further image: at fewer, training waited for Python."""
    found = measured()
    both = [predict(name, load_geometry("vit_b16"), H200, batch) for batch in (512, 1024)]
    assert [p.memory for p in both] == pytest.approx(
        [found[name, batch][1] for batch in (512, 1024)], rel=0.03
    )
    half, full = (prediction.terms.seconds for prediction in both)
    assert full == pytest.approx(found[name, 1024][0], rel=0.2)
    assert full - half == pytest.approx(found[name, 1024][0] - found[name, 512][0], rel=0.15)


def test_one_device_does_not_communicate():
    for name in ("catlip", "clip"):
        terms = step_terms(count(name, GEOMETRY, 2, "bf16", "cuda"), H200)
        assert terms.gather == terms.reduce == 0
        assert terms.seconds == terms.computing


def test_a_ring_passes_on_all_but_one_piece():
    device = replace(H200, hop=0.0)
    assert ring_seconds(4.5e11, device, 5) == pytest.approx(4)
    assert ring_seconds(1e9, device, 1) == 0


def test_gradients_are_sent_in_the_shadow_of_the_backward_pass():
    work = count("catlip", GEOMETRY, 2, "bf16", "cuda", 16)
    slow = replace(H200, network=1e6, hop=0.0)
    bare = replace(slow, hides=0.0)
    exposed = step_terms(work, bare, 16).reduce
    assert exposed == pytest.approx(2 * 15 / 16 * work.gradient_bytes / 1e6)
    assert 0 < step_terms(work, slow, 16).reduce < exposed
    assert step_terms(work, replace(slow, network=1e18, link=1e18), 16).reduce == 0


def test_features_wait():
    work = count("clip", GEOMETRY, 2, "bf16", "cuda", 16)
    device = replace(H200, network=1e6, hop=0.0)
    assert step_terms(work, device, 16).gather == pytest.approx(2 * 15 * work.gathered_bytes / 1e6)


@pytest.mark.parametrize("square", [0, 3])
def test_the_largest_batch_fits_and_one_more_does_not(square):
    def counted(batch: int) -> Work:
        return Work({}, 0, 1000, 77 * batch + square * batch**2, 0, 0)

    device = replace(H200, memory=4_000_000)
    found = largest_batch(counted, device)
    assert counted(found).memory <= 0.95 * device.memory < counted(found + 1).memory
    assert largest_batch(counted, replace(H200, memory=1000)) == 0


def test_device_hours():
    assert device_hours(7200, 2, 1.0) == 1
    prediction = predict("catlip", GEOMETRY, H200, 4)
    assert relative_hours(prediction, prediction) == 1


def test_scaling_of_what_does_not_contrast_is_perfect_where_gradients_are_hidden():
    found = scaling(
        ["catlip"], GEOMETRY, replace(H200, network=1e18, link=1e18, hop=0.0), 64, "bf16", (1, 8, 64)
    )
    rates = [prediction.images_per_second / prediction.devices for prediction in found]
    assert rates == pytest.approx([rates[0]] * 3)
