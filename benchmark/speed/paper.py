"""The paper's saving (arXiv 2404.15653, figure 1c), predicted: which part of it comes from where."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache

from benchmark.speed.cost_model import step_terms
from benchmark.speed.counting import Work, count
from benchmark.speed.devices import Device, find_devices
from benchmark.speed.geometry import Geometry, Published

SLOW_NETWORK = 400e9 / 8 / 8
"""Bytes per second of each of eight GPUs that share one adapter of 400 Gb/s, as some clouds' nodes do."""


@dataclass(frozen=True)
class Account:
    """One objective's device-hours in another's, as factors.

    Attributes:
        device: what computes; a name.
        assuming: what is not known of the paper's training.
        factors: what the ratio comes from -> what it is multiplied by; their product is the prediction.
        memory: bytes that a device of each objective needs.
        shares: images per device and step, and devices, of each.
    """

    device: str
    assuming: str
    factors: dict[str, float]
    memory: tuple[int, int]
    shares: tuple[Published, Published]

    @property
    def predicted(self) -> float:
        """Device-hours of the one in those of the other."""
        product = 1.0
        for factor in self.factors.values():
            product *= factor
        return product

    def unexplained(self, published: float) -> float:
        """What the prediction would have to be multiplied by to be what was published."""
        return published / self.predicted


Works = Callable[[str, int, int, bool], Work]
"""A step's work by objective, images per device, devices, and whether attention is fused."""


def account(
    works: Works,
    device: Device,
    shares: tuple[Published, Published],
    assuming: str,
    fused: tuple[bool, bool] = (True, True),
    names: tuple[str, str] = ("catlip", "clip"),
) -> Account:
    """Take a ratio of device-hours apart, beginning with the arithmetic.

    Args:
        works: counts steps.
        device: of both.
        shares: of the batch, the first objective's and the second's.
        assuming: in words.
        fused: whether each has fused attention.
        names: of the two.
    """

    def ratio(batches: tuple[int, int], devices: tuple[int, int], fused: tuple[bool, bool]) -> float:
        each = [
            step_terms(works(*training), device, training[2]).seconds / training[1]
            for training in zip(names, batches, devices, fused, strict=True)
        ]
        return each[0] / each[1]

    one, both = (1, 1), (True, True)
    batches, devices = (shares[0].batch_size, shares[1].batch_size), (shares[0].devices, shares[1].devices)
    small = (batches[1], batches[1])
    flops = [works(name, batches[1], 1, True).flops() for name in names]
    steps = {
        "arithmetic": flops[0] / flops[1],
        "memory traffic of text tower and losses": ratio(small, one, both),
        "larger batch per device": ratio(batches, one, both),
        "attention kernels": ratio(batches, one, fused),
        "communication": ratio(batches, devices, fused),
    }
    factors, before = {}, 1.0
    for what, value in steps.items():
        factors[what], before = value / before, value
    memory = [works(*training).memory for training in zip(names, batches, devices, fused, strict=True)]
    return Account(device.name, assuming, factors, (memory[0], memory[1]), shares)


def paper_accounts(geometry: Geometry) -> Iterator[Account]:
    """The paper's ratio, by what its cluster and CLIP's recipe may have been.

    The paper says A100 but not of how much memory, nothing of the network, and CLIP's share of the batch for
    ViT-B/16 alone; elsewhere it is assumed to be CatLIP's.

    Args:
        geometry: with a published share of ``catlip``.

    Raises:
        UserError: its device is unknown.
    """

    @cache
    def works(name: str, batch_size: int, devices: int, fused: bool) -> Work:
        # Activations are computed anew for the backward pass, as both released configs have it.
        options = {"checkpointing": True, "fused_attention": fused}
        return count(name, geometry, batch_size, "bf16", "cuda", devices, **options)

    ours = geometry.published["catlip"]
    shares = (ours, geometry.published.get("clip", ours))
    for device in find_devices(ours.device):
        yield account(works, device, shares, "an adapter of 200 Gb/s per GPU")
    slow = replace(device, network=SLOW_NETWORK)
    yield account(works, slow, shares, "an adapter of 400 Gb/s per eight GPUs")
    yield account(
        works,
        slow,
        shares,
        "the same, and CLIP without fused attention (its released config)",
        (True, False),
    )
