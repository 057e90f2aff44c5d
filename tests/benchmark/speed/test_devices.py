"""Devices by name, and the time they take."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmark.speed.counting import Amount, Operator
from benchmark.speed.devices import DEVICES, find_devices
from common.errors import UserError

ADD = Operator("aten.add.Tensor", "bfloat16")
PRODUCT = Operator("aten.mm.default", "bfloat16")


def test_a_family_is_all_its_devices():
    assert [device.name for device in find_devices("a100")] == ["a100_40gb", "a100_80gb"]
    assert [device.name for device in find_devices("h200")] == ["h200"]


def test_an_unknown_device_is_told_with_those_like_it():
    with pytest.raises(UserError, match=r"did you mean .*h200"):
        find_devices("h20")


def test_seconds_are_work_by_rates():
    device = replace(DEVICES["h200"], shares=(0.5, 0.5, 0.5))
    assert device.seconds(ADD, Amount(1, 0, int(4.8e12))) == pytest.approx(2)
    both = device.seconds(PRODUCT, Amount(1, int(989.4e12), int(4.8e12)))
    assert both == pytest.approx(4)


def test_what_was_measured_takes_the_place_of_the_data_sheet():
    device = replace(DEVICES["h200"], rates={ADD: 10.0}, overhead=1.0)
    assert device.seconds(ADD, Amount(2, 0, 30)) == pytest.approx(5)


def test_a_ring_across_nodes_is_as_fast_as_the_network():
    device = DEVICES["a100_80gb"]
    assert device.neighbour_rate(8) == device.link
    assert device.neighbour_rate(9) == device.network


@pytest.mark.parametrize(
    ("name", "term"),
    [
        ("aten.mm.default", "products"),
        ("aten.convolution_backward.default", "products"),
        ("aten.bmm.default", "attention"),
        ("aten._softmax.default", "attention"),
        ("aten._log_softmax.default", "elementwise"),
        ("aten._fused_adamw_.default", "optimizer"),
        ("aten.gelu.default", "elementwise"),
    ],
)
def test_what_operators_count_as(name, term):
    assert Operator(name, "float32").term == term
