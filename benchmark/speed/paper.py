"""The paper's saving (arXiv 2404.15653, figure 1c), predicted: which part of it comes from where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from benchmark.speed.cost_model import Prediction, predict, relative_hours
from benchmark.speed.devices import Device, find_devices
from benchmark.speed.geometry import Geometry, Share

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
    shares: tuple[Share, Share]

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


def account(
    geometry: Geometry,
    device: Device,
    shares: tuple[Share, Share],
    assuming: str = "",
    fused: tuple[bool, bool] = (True, True),
    checkpointing: bool = True,
    names: tuple[str, str] = ("catlip", "clip"),
) -> Account:
    """Take a ratio of device-hours apart, from the arithmetic to what was measured in the end.

    Args:
        geometry: what both train.
        device: of both.
        shares: of the batch, the first objective's and the second's.
        assuming: in words.
        fused: whether each has fused attention.
        checkpointing: both compute activations anew for the backward pass, as the released configs do.
        names: of the two.
    """

    def at(which: int, share: Share, kernel: bool = True, devices: int | None = None) -> Prediction:
        many = share.devices if devices is None else devices
        options = {"checkpointing": checkpointing, "fused_attention": kernel}
        return predict(names[which], geometry, device, share.batch_size, many, **options)

    ours, theirs = at(0, shares[0], fused[0]), at(1, shares[1], fused[1])
    alike = [at(which, shares[1], devices=1) for which in (0, 1)]
    alone = [at(which, shares[which], devices=1) for which in (0, 1)]
    kernels = [at(which, shares[which], fused[which], devices=1) for which in (0, 1)]
    arithmetic = alike[0].flops / alike[1].flops
    factors = {
        "arithmetic": arithmetic,
        "the rest of the text tower and the losses: memory traffic": relative_hours(*alike) / arithmetic,
        "larger batch per device": relative_hours(*alone) / relative_hours(*alike),
        "attention kernels": relative_hours(*kernels) / relative_hours(*alone),
        "communication": relative_hours(ours, theirs) / relative_hours(*kernels),
    }
    return Account(device.name, assuming, factors, (ours.memory, theirs.memory), shares)


def paper_accounts(geometry: Geometry) -> Iterator[Account]:
    """The paper's ratio, by what its cluster and CLIP's recipe may have been.

    The paper says A100 but not of how much memory, nothing of the network, and CLIP's share of the batch for
    ViT-B/16 alone; elsewhere it is assumed to be CatLIP's.

    Args:
        geometry: with a published share of ``catlip``.

    Raises:
        UserError: its device is unknown.
    """
    ours = geometry.published["catlip"]
    shares = (ours, geometry.published.get("clip", ours))
    for device in find_devices(ours.device):
        yield account(geometry, device, shares, "an adapter of 200 Gb/s per GPU")
    slow = replace(device, network=SLOW_NETWORK)
    yield account(geometry, slow, shares, "one of 400 Gb/s per eight GPUs")
    yield account(
        geometry,
        slow,
        shares,
        "the same, and CLIP without fused attention (its released config)",
        (True, False),
    )
