"""A trunk without memory, and with a file's tensors in it."""

from pathlib import Path

import torch

from backbones.checkpoints.assemble import assemble, empty_trunk
from backbones.checkpoints.keys import KeyReport
from backbones.layout import Layout
from backbones.preprocessing import Preprocessing
from backbones.trunk import build_trunk, layout_of

LAYOUT = Layout(32, 2, 2, image_size=64, layer_scale=True)


def test_an_empty_trunk_has_the_layout_and_draws_nothing():
    before = torch.get_rng_state()
    trunk = empty_trunk(LAYOUT)
    assert layout_of(trunk) == LAYOUT and torch.equal(torch.get_rng_state(), before)
    assert all(tensor.is_meta for tensor in trunk.state_dict().values())


def test_the_tensors_become_a_vit_that_says_where_they_came_from():
    state, report = build_trunk(LAYOUT).state_dict(), KeyReport()
    vit = assemble(LAYOUT, dict(state), report, Path("weights.pt"), Preprocessing(64))
    assert not vit.training and vit.key_report is report
    assert all(torch.equal(value, state[key]) for key, value in vit.trunk.state_dict().items())
