"""How images are prepared."""

import json

import pytest

from backbones.preprocessing import Preprocessing


def test_it_is_written_with_every_value():
    values = json.loads(json.dumps(Preprocessing(224, resize_mode="squash").to_dict()))
    assert values["size"] == 224 and values["mean"] == [0, 0, 0] and values["resize_mode"] == "squash"


def test_another_way_of_resizing_is_refused():
    with pytest.raises(ValueError, match="resize_mode is shortest or squash, not 'stretch'"):
        Preprocessing(224, resize_mode="stretch")
