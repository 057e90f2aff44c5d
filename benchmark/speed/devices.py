"""Devices that training is predicted for: what their data sheets say, and what of it is counted on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from common.errors import UserError
from common.names import suggest

if TYPE_CHECKING:
    from benchmark.speed.counting import Amount, Operator

PRODUCTS, BANDWIDTH, ATTENTION = 0.8, 0.9, 0.25
"""Shares of the data sheet's rates that are counted on: assumptions. Of an H200 it is known that a bf16
product of 8192^3 reaches 790 of 989 TFLOP/s, and a copy 4.3 of 4.8 TB/s; FlashAttention-2's papers show a
quarter to a half for fused attention, the least at few tokens and heads of 64."""


@dataclass(frozen=True)
class Device:
    """What computes a training step.

    Attributes:
        name: a key of `DEVICES`, or of the machine that was calibrated.
        kind: ``cuda`` or ``cpu``.
        flops: dtype -> peak floating-point operations per second of matrix products.
        bandwidth: of its memory, bytes per second.
        memory: bytes.
        link: bytes per second that it can send to its neighbours in a node while it receives as much.
        network: the same between nodes, each device's share.
        per_node: devices in a node.
        hop: seconds that a message takes at least.
        shares: of `flops` in products, of `bandwidth`, of `flops` in attention, that are counted on.
        hides: share of a step's backward pass that gradients can be sent in the shadow of.
        overhead: seconds that every operator takes beside its work. GPUs are asked ahead of time and have
            none where a step takes longer than asking for it does.
        fresh: seconds that each byte costs which a step holds at its peak: what a C library gives back to the
            system after a step is given anew, and zeroed, in the next. GPUs' memory is kept.
        rates: operator -> its FLOPs (bytes, where it has none) per second, where measured; takes the place of
            the data sheet.
    """

    name: str
    kind: str
    flops: Mapping[str, float]
    bandwidth: float
    memory: int
    link: float
    network: float
    per_node: int
    hop: float = 5e-6
    shares: tuple[float, float, float] = (PRODUCTS, BANDWIDTH, ATTENTION)
    hides: float = 1.0
    overhead: float = 0.0
    fresh: float = 0.0
    rates: Mapping[Operator, float] = field(default_factory=dict)

    def seconds(self, operator: Operator, amount: Amount) -> float:
        """How long an operator's calls in a step take.

        A product's reading and writing is added to its arithmetic: tiles of a ViT's narrow layers are loaded
        and stored for a good part while nothing is multiplied.
        """
        waiting = amount.calls * self.overhead
        if rate := self.rates.get(operator):
            return waiting + (amount.flops or amount.bytes) / rate
        products, bandwidth, attention = self.shares
        moving = amount.bytes / (bandwidth * self.bandwidth)
        if not amount.flops:
            return waiting + moving
        share = attention if operator.term == "attention" else products
        return waiting + moving + amount.flops / (share * self.flops[operator.dtype])

    def neighbour_rate(self, devices: int) -> float:
        """Bytes per second along a ring of so many devices: that of its slowest link."""
        return self.link if devices <= self.per_node else min(self.link, self.network)


_GPU = {"kind": "cuda", "per_node": 8}
# NVIDIA A100 data sheet (SXM4): 312 TFLOP/s bf16, 19.5 float32, NVLink 600 GB/s both ways together;
# 1,555 and 2,039 GB/s. A DGX A100 has one 200 Gb/s adapter per GPU.
_A100 = _GPU | {
    "flops": {"bfloat16": 312e12, "float16": 312e12, "float32": 19.5e12},
    "link": 300e9,
    "network": 25e9,
}
# NVIDIA H100 (SXM5) and H200 data sheets, dense rates; DGX: one 400 Gb/s adapter per GPU.
_HOPPER = _GPU | {
    "flops": {"bfloat16": 989.4e12, "float16": 989.4e12, "float32": 66.9e12},
    "link": 450e9,
    "network": 50e9,
}
DEVICES: dict[str, Device] = {
    device.name: device
    for device in (
        Device("a100_40gb", bandwidth=1.555e12, memory=40 * 10**9, **_A100),
        Device("a100_80gb", bandwidth=2.039e12, memory=80 * 10**9, **_A100),
        Device("h100", bandwidth=3.35e12, memory=80 * 10**9, **_HOPPER),
        Device("h200", bandwidth=4.8e12, memory=141 * 10**9, **_HOPPER),
    )
}


def find_devices(name: str) -> list[Device]:
    """The devices of a name: one, or a family's (``a100`` comes with 40 and with 80 GB).

    Raises:
        UserError: no device is called so.
    """
    found = [device for key, device in DEVICES.items() if key == name or key.startswith(f"{name}_")]
    if not found:
        raise UserError(f"unknown device {name!r}: {suggest(name, DEVICES)}")
    return found


def named_device(name: str) -> Device:
    """One device by its name.

    Raises:
        UserError: none is called so, or several are.
    """
    found = find_devices(name)
    if len(found) > 1:
        raise UserError(f"--on {name}: which of {', '.join(device.name for device in found)}?")
    return found[0]
