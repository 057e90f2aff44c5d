"""The moving average in one go is MMEngine's, one parameter after the other."""

import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from torch import nn

from common.training.average import FusedMovingAverage


@pytest.mark.parametrize("interval", [1, 2])
def test_it_is_mmengines_average(interval):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    kinds = (ExponentialMovingAverage, FusedMovingAverage)
    expected, got = (kind(model, momentum=0.3, interval=interval) for kind in kinds)
    for _ in range(5):
        with torch.no_grad():
            for value in (*model.parameters(), model[1].running_mean):
                value.add_(torch.randn_like(value))
        for average in (expected, got):
            average.update_parameters(model)
    torch.testing.assert_close(got.state_dict(), expected.state_dict())
    assert not any(parameter.requires_grad for parameter in got.parameters())
    assert not torch.equal(got.module[0].weight, model[0].weight)


def test_buffers_are_not_averaged():
    with pytest.raises(ValueError, match="buffers"):
        FusedMovingAverage(nn.Linear(1, 1), momentum=0.1, update_buffers=True)
