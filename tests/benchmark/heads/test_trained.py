"""The trained classifier against torch's own Linear in the same loop."""

import torch
from torch import nn

from benchmark.heads.penalty_path import LinearClassifier
from benchmark.heads.trained import train


def test_it_is_a_linear_layer_trained_with_adamw():
    generator = torch.Generator().manual_seed(0)
    features, labels = torch.randn(50, 6, generator=generator), torch.arange(50) % 3
    start = LinearClassifier(torch.randn(6, 3, generator=generator), torch.zeros(3))
    told = []
    found = train(
        list(features.split([20, 1, 29])), labels, start, 3, 16, 0.01, 0.001, 0.1, 7,
        lambda *state: told.append(state),
    )  # fmt: skip
    layer = nn.Linear(6, 3)
    with torch.no_grad():
        layer.weight.copy_(start.weight.T)
        layer.bias.zero_()
    groups = [{"params": [layer.weight], "weight_decay": 0.1}, {"params": [layer.bias], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 11, 0.001)
    order = torch.Generator().manual_seed(7)
    for _ in range(3):
        for chosen in torch.randperm(50, generator=order).split(16):
            loss = nn.functional.cross_entropy(layer(features[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    torch.testing.assert_close(found.weight, layer.weight.detach().T, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.bias, layer.bias.detach(), atol=1e-5, rtol=1e-5)
    assert told == [(4, 12), (8, 12), (12, 12)] and found.steps == 12
    assert torch.equal(start.bias, torch.zeros(3))
