"""Untrained weights."""

import torch

from backbones import load_backbone


def test_random_weights_depend_on_the_seed_alone():
    torch.manual_seed(1)
    first = load_backbone("random:vit_nano_conv16", seed=3)
    torch.manual_seed(2)
    again = load_backbone("random:vit_nano_conv16", seed=3)
    other = load_backbone("random:vit_nano_conv16", seed=4)
    assert torch.equal(first.trunk.pos_embed, again.trunk.pos_embed)
    assert not torch.equal(first.trunk.pos_embed, other.trunk.pos_embed)


def test_the_seed_of_the_caller_is_left_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    load_backbone("random:vit_nano_conv16", seed=3)
    load_backbone("random:vit_tiny_patch16_224", seed=3)
    assert torch.equal(torch.rand(3), expected)
