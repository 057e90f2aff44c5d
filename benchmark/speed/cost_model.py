"""What a pre-training costs on devices that are not here: memory, seconds per step, device-hours.

A step is counted (`benchmark.speed.counting`), its operators are given the time that the device takes for
them (`benchmark.speed.devices`, or what was timed here: `benchmark.speed.calibration`), and communication is
added. Nothing is fitted to a measured step, nor to what the paper says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields

from benchmark.speed.counting import Work, count
from benchmark.speed.devices import Device
from benchmark.speed.geometry import Geometry

PROCESSES = (8, 16, 32, 64, 128, 256, 512, 1024)
"""Numbers of devices that are predicted."""
_SPARE = 0.05
"""Share of a device's memory that is not counted on: the context, the libraries' work space, fragments."""


@dataclass(frozen=True)
class Terms:
    """Seconds of a training step, by what they are spent on.

    Attributes:
        products: matrix products and convolutions.
        attention: scores, softmax, and the values they weigh.
        elementwise: norms, activations, sums, copies, casts, losses.
        optimizer: clipping, AdamW, the moving average.
        allocation: memory that the system gives anew at every step.
        gather: features of other devices, and their gradients: nothing else can be done meanwhile.
        reduce: of the gradients' sum over devices, what the backward pass does not hide.
    """

    products: float
    attention: float
    elementwise: float
    optimizer: float
    allocation: float = 0.0
    gather: float = 0.0
    reduce: float = 0.0

    @property
    def seconds(self) -> float:
        """Of the whole step."""
        return sum(asdict(self).values())

    @property
    def computing(self) -> float:
        """Of what a device does by itself."""
        return self.seconds - self.gather - self.reduce


TERMS = tuple(field.name for field in fields(Terms))


def step_terms(work: Work, device: Device, devices: int = 1) -> Terms:
    """The time of a step that so many devices make together, each with `work`.

    Gradients go around a ring, 2 (N - 1) / N of their bytes along each of its links, while the backward pass
    (two thirds of the step) still runs; features go to all others before anything can be compared, and their
    gradients come back the same way.

    Args:
        work: counted for as many processes.
        device: each of them.
        devices: how many.
    """
    seconds = dict.fromkeys(("products", "attention", "elementwise", "optimizer"), 0.0)
    for operator, amount in work.operators.items():
        seconds[operator.term] += device.seconds(operator, amount)
    alone = Terms(**seconds, allocation=device.fresh * work.step_bytes)
    if devices == 1:
        return alone
    ring = ring_seconds(2 * work.gradient_bytes / devices, device, devices)
    hidden = device.hides * 2 / 3 * (alone.computing - alone.optimizer)
    return Terms(
        **seconds,
        allocation=alone.allocation,
        gather=2 * ring_seconds(work.gathered_bytes, device, devices) if work.gathered_bytes else 0.0,
        reduce=max(0.0, ring - hidden),
    )


def ring_seconds(piece: float, device: Device, devices: int) -> float:
    """Time until each device of a ring has passed on N - 1 pieces of so many bytes; none for one device."""
    if devices == 1:
        return 0.0
    sending = (devices - 1) * piece / device.neighbour_rate(devices)
    return sending + 2 * device.hop * _hops(devices)


def _hops(devices: int) -> int:
    """Messages that follow each other: collectives of many devices go up and down a tree."""
    return max(1, (devices - 1).bit_length())


Count = Callable[[int], Work]
"""A step's work by its batch."""


def largest_batch(count_batch: Count, device: Device) -> int:
    """The most images per device and step that its memory has room for; 0 where not even one has.

    Memory grows with the batch, at most with its square (similarities): a line between a batch that fits and
    one that does not says where to look, and counting says whether that is right.

    Args:
        count_batch: counts the work of a batch.
        device: its memory.
    """
    room = usable_memory(device)

    def fits(batch: int) -> bool:
        return count_batch(batch).memory <= room

    if not fits(1):
        return 0
    low, high = 1, 2
    while fits(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = _crossing(count_batch, room, low, high)
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def usable_memory(device: Device) -> float:
    """Bytes of a device's memory that are counted on."""
    return (1 - _SPARE) * device.memory


def _crossing(count_batch: Count, room: float, low: int, high: int) -> int:
    """Where a straight line between two batches meets the room there is, kept inside of them."""
    below, above = count_batch(low).memory, count_batch(high).memory
    guess = low + int((high - low) * (room - below) / max(1, above - below))
    return min(high - 1, max(low + 1, guess))


def device_hours(samples: int, batch_size: int, step_seconds: float) -> float:
    """Device-hours of a training, whose devices take `batch_size` images each per step."""
    return samples / batch_size * step_seconds / 3600


@dataclass(frozen=True)
class Prediction:
    """One objective's training on devices of one kind.

    Attributes:
        name: of the objective.
        device: a name.
        devices: how many.
        batch_size: images per device and step.
        terms: seconds of a step.
        memory: bytes that a device needs.
        flops: of a step of one device.
    """

    name: str
    device: str
    devices: int
    batch_size: int
    terms: Terms
    memory: int
    flops: int

    @property
    def images_per_second(self) -> float:
        """Of all devices together."""
        return self.batch_size * self.devices / self.terms.seconds

    @property
    def device_seconds(self) -> float:
        """For one image."""
        return self.terms.seconds / self.batch_size


def predict(
    name: str,
    geometry: Geometry,
    device: Device,
    batch_size: int,
    devices: int = 1,
    precision: str = "bf16",
    **options: bool,
) -> Prediction:
    """Predict an objective's training.

    Args:
        name: of the objective.
        geometry: its shape.
        device: what computes it.
        batch_size: images per device and step.
        devices: how many.
        precision: ``float32`` or ``bf16``.
        **options: of `count`: ``checkpointing``, ``fused_attention``.
    """
    work = count(name, geometry, batch_size, precision, device.kind, devices, **options)
    terms = step_terms(work, device, devices)
    return Prediction(name, device.name, devices, batch_size, terms, work.memory, work.flops())


def scaling(
    names: Sequence[str],
    geometry: Geometry,
    device: Device,
    batch_size: int,
    precision: str,
    processes: Sequence[int] = PROCESSES,
) -> list[Prediction]:
    """Predictions for growing numbers of devices, each with the same share of the batch."""
    return [
        predict(name, geometry, device, batch_size, devices, precision)
        for name in names
        for devices in processes
    ]


def relative_hours(one: Prediction, other: Prediction) -> float:
    """Device-hours of one training in those of another on as many images."""
    return one.device_seconds / other.device_seconds
