"""What two processes see of each other, written down by each for test_group.py."""

import sys
from pathlib import Path

import torch

from common.errors import UserError
from common.training import group
from common.training.batchnorm import synchronize_batchnorm


def model():
    torch.manual_seed(0)
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.GELU(), torch.nn.Conv2d(4, 2, 1)
    )
    return layers


def images():
    return torch.randn(7, 3, 6, 5, generator=torch.Generator().manual_seed(1)) + 3


def loss_of(layers, pictures):
    return (layers(pictures).square() + layers(pictures)).sum()


def main(out: Path) -> None:
    torch.set_num_threads(1)
    group.adopt()
    group.join()
    number = group.rank()
    try:
        group.agree("other data", str(number))
        disagreed = ""
    except UserError as error:
        disagreed = str(error)
    group.agree("other data", "the same")
    layers = synchronize_batchnorm(model())
    share = images()[:5] if number == 0 else images()[5:]
    loss = loss_of(layers, share)
    loss.backward()
    gradients = {name: group.gather(value.grad) for name, value in layers.named_parameters()}
    found = {
        "rank": number,
        "first": group.is_first(),
        "gathered": group.gather({"rank": number}),
        "total": group.total(number + 0.5),
        "mean": group.mean({"a": torch.tensor(1.0 + number), "b": torch.tensor(3.0)}),
        "disagreed": disagreed,
        "gradients": {name: sum(values) for name, values in gradients.items()},
        "state": layers.state_dict(),
        "evaluated": layers.eval()(share).detach(),
    }
    torch.save(found, out / f"{number}.pt")
    group.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
