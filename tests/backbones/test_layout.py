"""The description of a ViT's computation."""

import json

import pytest

from backbones.layout import Layout, mlp_ratio


def test_a_layout_survives_json():
    layout = Layout(48, 3, 4, image_size=(64, 96), positions="bicubic")
    assert Layout(**json.loads(json.dumps(layout.to_dict()))) == layout


@pytest.mark.parametrize("field", ["activation", "pooling", "norm", "positions", "stem"])
def test_words_that_nothing_computes_are_refused(field):
    with pytest.raises(ValueError, match="'unheard-of' is none of"):
        Layout(48, 3, 4, **{field: "unheard-of"})


@pytest.mark.parametrize(("hidden", "width"), [(192, 48), (4304, 1152), (256, 48), (2 * 2730, 1024), (1, 7)])
def test_the_ratio_gives_the_hidden_width_back(hidden, width):
    assert int(width * mlp_ratio(hidden, width)) == hidden
