"""Specs come from config files: what is wrong with them is said in one line."""

import pickle

import pytest

from benchmark.demo_data import DemoSpec
from benchmark.demo_data.concepts import BACKGROUNDS, all_concepts
from benchmark.demo_data.spec import _RANGES, PART_FIELDS
from common.errors import UserError


def test_the_full_demo():
    spec = DemoSpec()
    assert (spec.pairs, spec.val_pairs, spec.image_size, spec.concepts) == (12_000, 1_000, 96, 150)
    assert spec.classes * spec.class_test == 2_400
    assert DemoSpec.from_config({"pairs": 10}).pairs == 10
    assert pickle.loads(pickle.dumps(spec)) == spec


def test_smoke_is_small_and_can_be_changed():
    assert DemoSpec.smoke().pairs <= 500
    assert DemoSpec.smoke(seed=3, pairs=7).to_dict() | {} == DemoSpec.smoke(seed=3, pairs=7).to_dict()
    assert DemoSpec.smoke(pairs=7).pairs == 7


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"pears": 3}, "pears"),
        ({"pairs": 0}, "pairs"),
        ({"pairs": -5}, "pairs"),
        ({"pairs": 1.5}, "whole number"),
        ({"pairs": "many"}, "whole number"),
        ({"pairs": True}, "whole number"),
        ({"image_size": 8}, "image_size"),
        ({"concepts": 151}, "concepts"),
        ({"concepts": 20}, "classes=80"),
        ({"concepts": 100, "classes": 101}, "classes=101"),
        ({"concepts": 20, "classes": 10, "things": 10}, "categories=24"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_specs_are_the_users_error(values, word):
    with pytest.raises(UserError, match=word) as error:
        DemoSpec(**values)
    assert "\n" not in str(error.value)


def test_limits_agree_with_the_tables():
    assert list(_RANGES) == list(DemoSpec().to_dict())
    assert _RANGES["concepts"][1] == _RANGES["classes"][1] == len(all_concepts())
    # ADE20K's index PNGs know 150 classes.
    assert _RANGES["things"][1] + len(BACKGROUNDS) <= 150


def test_every_field_belongs_to_a_part():
    assert {field for part in PART_FIELDS.values() for field in part} == set(DemoSpec().to_dict())
