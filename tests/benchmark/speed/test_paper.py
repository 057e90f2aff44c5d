"""The paper's ratio, taken apart."""

from __future__ import annotations

import math

import pytest

from benchmark.speed.geometry import Geometry, Published
from benchmark.speed.paper import paper_accounts

SHARE = Published(batch_size=8, devices=4, device="a100")
GEOMETRY = Geometry(
    architecture="vit_nano_conv16",
    image_size=32,
    classes=50,
    objectives={
        "catlip": {},
        "clip": {"embed_dim": 8, "text_width": 16, "text_layers": 1, "text_heads": 2, "context_length": 8},
    },
    batch_size=2,
    samples=100,
    published={"catlip": SHARE, "clip": Published(batch_size=2, devices=16, device="a100")},
)


def test_factors_multiply_to_the_prediction_and_the_rest_is_unexplained():
    small, large, slow, plain = found = list(paper_accounts(GEOMETRY))
    assert (small.device, large.device) == ("a100_40gb", "a100_80gb")
    for account in found:
        assert math.prod(account.factors.values()) == pytest.approx(account.predicted)
        assert account.predicted * account.unexplained(0.37) == pytest.approx(0.37)
        assert account.shares[0] == SHARE
        assert 0 < account.factors["arithmetic"] < 1
    assert slow.factors["communication"] < large.factors["communication"]  # features wait for the network
    assert plain.factors["attention kernels"] < 1  # which cost CLIP more
