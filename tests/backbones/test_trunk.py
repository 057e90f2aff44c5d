"""From a layout to timm's VisionTransformer and back."""

import pytest
import torch
from small import timm_model

from backbones import UserError
from backbones.layout import Layout
from backbones.trunk import build_trunk, layout_of

LAYOUTS = {
    "timm": {"activation": "gelu"},
    "clip": {"pre_norm": True, "patch_bias": False, "activation": "quick_gelu", "norm_eps": 1e-5},
    "clipa": {"pooling": "avg", "norm": "after", "patch_bias": False, "positions": "bicubic"},
    "siglip": {"class_token": False, "embed_class": False, "pooling": "map", "activation": "gelu_tanh"},
    "dinov2": {"registers": 4, "embed_class": False, "layer_scale": True, "activation": "swiglu"},
    "corenet": {"stem": "conv", "embed_class": False, "positions": "corenet"},
    "bare": {"positions": "none", "qkv_bias": False, "norm": "none", "mlp_ratio": 2.5},
}


def layout(kind):
    base = {"embed_dim": 64, "depth": 2, "num_heads": 4, "stem": "linear", "image_size": 64}
    return Layout(**{**base, "embed_class": True, **LAYOUTS[kind]})


@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_layout_says_everything_about_a_trunk(kind):
    with torch.device("meta"):
        trunk = build_trunk(layout(kind))
    assert layout_of(trunk) == layout(kind)


def test_a_trunk_that_no_layout_describes_is_refused():
    for options in ({"qk_norm": True}, {"global_pool": "avgmax"}, {"pool_include_prefix": True}):
        with pytest.raises(UserError, match="which the suite's format cannot say"):
            layout_of(timm_model(**options))


def test_drop_path_is_part_of_the_training_and_not_of_the_layout():
    torch.manual_seed(0)
    plain = build_trunk(layout("timm"))
    torch.manual_seed(0)
    dropping = build_trunk(layout("timm"), drop_path_rate=0.5)
    assert [getattr(block.drop_path1, "drop_prob", 0.0) for block in dropping.blocks] == [0.0, 0.5]
    assert layout_of(dropping) == layout_of(plain)
    for key, tensor in plain.state_dict().items():
        assert torch.equal(dropping.state_dict()[key], tensor), key
