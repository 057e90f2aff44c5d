"""Mixed precision."""

import pytest
import torch
from torch import nn

from backbones.precision import Bf16OptimWrapper, autocast, bf16_is_fast


@pytest.mark.parametrize(("precision", "used"), [("bf16", torch.bfloat16), ("float32", torch.float32)])
def test_products_are_computed_in_the_precision_that_is_named(precision, used):
    layer = nn.Linear(4, 4)
    with autocast("cpu", precision):
        assert layer(torch.ones(1, 4)).dtype == used
    wrapper = Bf16OptimWrapper(precision, optimizer=torch.optim.SGD(layer.parameters(), lr=0.1))
    with wrapper.optim_context(layer):
        assert layer(torch.ones(1, 4)).dtype == used


def test_auto_is_bf16_where_it_is_fast():
    with autocast("cpu", "auto"):
        fast = nn.Linear(4, 4)(torch.ones(1, 4)).dtype == torch.bfloat16
    assert fast == bf16_is_fast("cpu")


def test_another_precision_is_refused():
    with pytest.raises(ValueError, match="auto, float32 or bf16, not 'fp8'"):
        autocast("cpu", "fp8")
