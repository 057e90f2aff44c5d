"""The paper's ratio, taken apart."""

from __future__ import annotations

import math

import pytest

from benchmark.speed.geometry import Geometry, Share
from benchmark.speed.paper import paper_accounts

SHARE = Share(batch_size=8, devices=4, device="a100")
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
    published={"catlip": SHARE, "clip": Share(batch_size=2, devices=16, device="a100")},
)


def test_factors_multiply_to_the_prediction_and_the_rest_is_unexplained():
    found = list(paper_accounts(GEOMETRY))
    assert {account.device for account in found} == {"a100_40gb", "a100_80gb"}
    for account in found:
        assert math.prod(account.factors.values()) == pytest.approx(account.predicted)
        assert account.predicted * account.unexplained(0.37) == pytest.approx(0.37)
        assert account.shares[0] == SHARE
        assert 0 < account.factors["arithmetic"] < 1
    assert found[-1].predicted < found[-2].predicted  # plain attention costs CLIP more


def test_a_slower_network_costs_what_contrasts():
    fast, slow = (account.factors["communication"] for account in list(paper_accounts(GEOMETRY))[1:3])
    assert slow < fast
