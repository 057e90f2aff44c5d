"""Specs come from config files: what is wrong with them is said in one line."""

import pickle

import pytest

from benchmark.demo_data import DemoSpec
from benchmark.demo_data.concepts import BACKGROUNDS, all_concepts
from benchmark.demo_data.spec import PART_FIELDS
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
        DemoSpec.from_config(values)
    assert "\n" not in str(error.value)


def test_the_test_splits_are_drawn_like_the_others_unless_told():
    assert DemoSpec.from_config({"seed": 7}).test_seed == 7 == DemoSpec(seed=7, test_seed=None).test_seed
    assert DemoSpec(seed=7, test_seed=9).seed_of("test") == 9 and DemoSpec(seed=7).seed_of("train") == 7


def test_limits_agree_with_the_tables():
    concepts = len(all_concepts())
    assert DemoSpec(concepts=concepts, classes=concepts).classes == concepts
    with pytest.raises(UserError, match="concepts"):
        DemoSpec.from_config({"concepts": concepts + 1})
    # ADE20K's index PNGs know 150 classes.
    assert DemoSpec(things=150 - len(BACKGROUNDS)).things + len(BACKGROUNDS) == 150
    with pytest.raises(UserError, match="things"):
        DemoSpec.from_config({"things": 151 - len(BACKGROUNDS)})


def test_every_field_belongs_to_a_part():
    assert {field for part in PART_FIELDS.values() for field in part} == set(DemoSpec().to_dict())
