"""What a record says of itself."""

from __future__ import annotations

import inspect
import re

import pytest
from pydantic import BaseModel

from benchmark.records import schema

MODELS = [
    model
    for model in vars(schema).values()
    if inspect.isclass(model) and issubclass(model, BaseModel) and model.model_fields
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_field_is_explained(model):
    text = inspect.getdoc(model)
    own = set(model.model_fields) - set(model.__base__.model_fields)
    explained = {
        name.strip() for names in re.findall(r"(?m)^    (\w[\w, ]*):", text) for name in names.split(",")
    }
    assert explained == own


def test_a_metric_has_a_direction():
    assert schema.Metric(value=1.0).higher_is_better
    assert not schema.Metric(value=1.0, higher_is_better=False).higher_is_better
