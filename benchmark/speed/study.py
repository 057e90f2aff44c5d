"""One study of speed: every contender measured beside every other, in this process or by all of them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice, repeat
from pathlib import Path
from typing import Any

import torch
from mmengine.device import get_device

from backbones.precision import resolve
from benchmark.speed.contenders import (
    FLOOR,
    REFERENCE,
    Contender,
    Training,
    contender_of,
    model_of,
    noise,
    objective_of,
    reading_of,
    recipe_of,
)
from benchmark.speed.energy import Meter
from benchmark.speed.geometry import Geometry, Published
from benchmark.speed.measure import ROUNDS, TURN, Series, take_turns
from benchmark.speed.memory import (
    fitting,
    free,
    held_on,
    largest_batch,
    memory_budget,
    out_of_memory,
    step_memory,
)
from benchmark.speed.phases import Timeline, watched
from common.errors import UserError
from common.machine import cores, processor, software, world_size
from common.progress import Report, silent
from common.training import group
from pretraining.cost import flops_per_image
from pretraining.data.prefetch import batches_on
from pretraining.data.shards import pair_splits
from pretraining.objectives.base import ImageTextBatch
from pretraining.train import train_loader

LONGEST = 2
"""Turns that a step may take at the largest batch: a CPU's memory would hold batches of minutes."""
_PHASED = 3
"""Steps whose phases are timed."""


@dataclass(frozen=True)
class Plan:
    """What a study measures.

    Attributes:
        geometry: shapes.
        objectives: by name.
        batch_size: images per process and step of the same-batch comparison; None leaves it out.
        largest: measure each at the largest batch that fits, too.
        pairs: folder of labelled image–text pairs for the real loader; None leaves it out.
        precision: ``auto``, ``float32`` or ``bf16``.
        rounds, turn: see `take_turns`.
        as_published: train each as its paper did, as far as that can be measured (`Published`).
    """

    geometry: Geometry
    objectives: tuple[str, ...]
    batch_size: int | None
    largest: bool = True
    pairs: Path | None = None
    precision: str = "auto"
    rounds: int = ROUNDS
    turn: float = TURN
    as_published: bool = False

    def contender(
        self, name: str, device: torch.device, precision: str, batch_size: int
    ) -> tuple[Contender, ImageTextBatch]:
        """One of those that are measured, with a batch of noise: see `contender_of`."""
        published = self.published(name)
        return contender_of(name, self.geometry, device, precision, batch_size, published=published)

    def published(self, name: str) -> Published | None:
        """The recipe that a contender follows; None for the shared one."""
        return self.geometry.published.get(name) if self.as_published else None


@dataclass
class Found:
    """What a study found of one contender; batches and memory are those of each process.

    Attributes:
        flops: per image: ``backbone``, ``head``, ``total`` (`pretraining.cost.flops_per_image`).
        parameters: that are trained; None where the contender was not built.
        same, largest: turns on noise, at the same batch as all others and at the largest that fits.
        memory: bytes of a step at the same batch.
        largest_size, largest_memory: that batch, and what its step takes.
        bounded_by: what keeps it from being larger: ``memory``, or ``time`` where a step would be too long.
        loaded: turns at the same batch on real pairs.
        loader: images per second and process that the loader gives where nobody trains on them.
        phases: seconds per step of each phase, at the same batch.
        communication: seconds per step that sharing gradients adds to them; None for a process alone.
    """

    flops: dict[str, float] | None = None
    parameters: int | None = None
    same: Series | None = None
    memory: int | None = None
    largest: Series | None = None
    largest_size: int | None = None
    largest_memory: int | None = None
    bounded_by: str | None = None
    loaded: Series | None = None
    loader: float | None = None
    phases: dict[str, float] = field(default_factory=dict)
    communication: float | None = None


@dataclass
class Study:
    """A study's result.

    Attributes:
        found: by contender.
        precision: that all trained in.
        processes: that trained together.
        memory_budget: bytes that a step may take, of each process.
        energy: what the joules of the turns are of; empty where none were counted.
        loaders: processes that load for each one that trains; 0: it loads for itself, between its steps.
        left_out: what was not measured because memory did not suffice, in words.
    """

    found: dict[str, Found]
    precision: str
    processes: int
    memory_budget: int
    energy: list[str]
    loaders: int = 0
    left_out: list[str] = field(default_factory=list)


def run(plan: Plan, report: Report = silent) -> tuple[Study, dict[str, Any], float]:
    """Measure everything that a plan asks for. Processes that train together each call it.

    Returns:
        The study, what its figures depend on (`machine`), and the seconds that it took.

    Raises:
        UserError: an unknown objective, pairs that cannot be read, or a batch that does not fit.
    """
    begin = time.perf_counter()
    if plan.pairs is not None:  # before anything long begins
        pair_splits(plan.pairs)
        for name in plan.objectives:
            objective_of(name).reads(plan.pairs, plan.geometry.objectives.get(name, {}))
    group.join()
    device = torch.device(get_device())
    if device.type not in ("cuda", "cpu"):
        raise UserError(f"speed is measured on CUDA's GPUs and on CPUs, not on {device.type}")
    torch.backends.cudnn.benchmark = True  # as pre-training has it
    precision = group.gather(resolve(plan.precision, device, plan.geometry.layout.embed_dim))[0]
    # One process reads the counters, and one GPU's: of several GPUs it would tell a part.
    counts = group.is_first() and (device.type == "cpu" or world_size() == 1)
    meter = (Meter() or None) if counts else None
    budget = min(group.gather(memory_budget(device)))
    study = Study({}, precision, world_size(), budget, meter.sources if meter else [])
    names = [FLOOR, *plan.objectives, REFERENCE]
    for name in names:
        study.found[name] = Found()
    size = plan.batch_size or plan.geometry.batch_size
    try:
        _same_batch(plan, study, names, device, meter, report)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise UserError(f"{size} images a process do not fit into memory: give fewer with --batch") from None
    parts = {"the largest batch": _largest_batch} if plan.largest else {}
    parts |= {"real pairs": _real_pairs} if plan.pairs is not None else {}
    for what, part in parts.items():
        try:
            part(plan, study, device, meter, report)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            study.left_out.append(what)
    return study, machine(device), time.perf_counter() - begin


def _same_batch(
    plan: Plan, study: Study, names: list[str], device: torch.device, meter: Meter | None, report: Report
) -> None:
    """FLOPs of all, and turns of all at one batch."""
    size = plan.batch_size or plan.geometry.batch_size
    for name in names:
        report(f"counting operations of {name}")
        if name != REFERENCE:
            study.found[name].flops = counted(name, plan.geometry, size)
    if plan.batch_size is None:
        return
    contenders, steps = {}, {}
    for name in names:
        report(f"building {name}")
        held = held_on(device)  # by those that were built before
        contender, batch = plan.contender(name, device, study.precision, size)
        contender.train([batch.to(device)])
        found = study.found[name]
        found.parameters = sum(parameter.numel() for parameter in contender.model.parameters())
        found.memory = max(group.gather(step_memory(contender, batch, device) - held))
        contenders[name], steps[name] = (contender, batch), steps_of(contender, again(batch, device), device)
    turns = take_turns(steps, plan.rounds, plan.turn, report, f"turns of {size} images each", meter=meter)
    for name, series in turns.items():
        study.found[name].same = series
        contender, batch = contenders[name]
        if isinstance(contender, Training):
            report(f"phases of {name}")
            _phases(study.found[name], contender, batch, device)


def _largest_batch(
    plan: Plan, study: Study, device: torch.device, meter: Meter | None, report: Report
) -> None:
    """Turns of each objective at its own largest batch."""
    free()  # whatever an earlier part has left
    contenders, held = {}, {}
    for name in plan.objectives:
        before = held_on(device)
        contenders[name], batch = plan.contender(name, device, study.precision, 2)
        contenders[name].train([batch.to(device)])  # its state is there from now on
        held[name] = held_on(device) - before if device.type == "cuda" else contenders[name].state_bytes()
    most = _longest(plan, contenders.values(), device)
    first = min(8, plan.geometry.batch_size, most)
    steps, ready = {}, {}
    for name, contender in contenders.items():
        report(f"largest batch of {name}")
        found = study.found[name]
        others = max(group.gather(sum(held.values()) - held[name]))
        fit = fitting(contender, plan.geometry, device, others if device.type == "cuda" else 0)
        size, found.largest_memory = largest_batch(fit, first, study.memory_budget - others, most=most)
        found.largest_size, found.bounded_by = size, "time" if size + first // 8 >= most else "memory"
        batch = noise(reading_of(name, plan.geometry), size, plan.geometry.image_size)
        steps[name] = steps_of(contender, again(batch, device), device)
        if device.type == "cuda":  # the others give their memory back, and it takes its own
            ready[name] = lambda make=steps[name]: (free(), make(1))
    turns = take_turns(
        steps, plan.rounds, plan.turn, report, "turns at the largest batch", meter=meter, before=ready
    )
    for name, series in turns.items():
        study.found[name].largest = series


def _longest(plan: Plan, contenders: Iterable[Contender], device: torch.device) -> int:
    """Images per process whose step the slowest makes in `LONGEST` turns; on a GPU, as many as fit."""
    if device.type == "cuda":
        return 1 << 20
    size, seconds = plan.batch_size or plan.geometry.batch_size, []
    for contender in contenders:
        batch = noise(reading_of(contender.name, plan.geometry), size, plan.geometry.image_size)
        begin = time.perf_counter()
        contender.train([batch])
        seconds.append(time.perf_counter() - begin)
    return max(size, group.gather(int(LONGEST * plan.turn * size / max(seconds)))[0])


def _real_pairs(plan: Plan, study: Study, device: torch.device, meter: Meter | None, report: Report) -> None:
    """Turns of each objective on real pairs, and what the loader gives by itself."""
    size = plan.batch_size or plan.geometry.batch_size
    steps = {}
    study.loaders = workers = 0 if device.type == "cpu" else max(1, min(8, cores() // world_size()))
    for name in plan.objectives:
        report(f"loading for {name}")
        recipe = recipe_of(name, plan.geometry, size * world_size(), study.precision)
        # Small enough for every folder of pairs; mixing more of them costs memory alone.
        recipe = recipe.model_copy(update={"num_workers": workers, "shuffle_buffer": 1000})
        reading = objective_of(name).reads(plan.pairs, plan.geometry.objectives.get(name, {}))
        batches = iter(train_loader(recipe, reading, plan.pairs))
        contender = Training(name, recipe, reading, device, plan.published(name))
        load = {name: lambda count, from_=batches: deque(islice(from_, count), 0)}
        loading = take_turns(load, 5, plan.turn / 3)
        study.found[name].loader = size / sorted(loading[name].seconds)[2]
        steps[name] = steps_of(contender, batches, device)
    for name, series in take_turns(steps, plan.rounds, plan.turn, report, "turns on real pairs").items():
        study.found[name].loaded = series


def steps_of(
    contender: Contender, batches: Iterable[ImageTextBatch], device: torch.device
) -> Callable[[int], None]:
    """A function for `take_turns`.

    Args:
        contender: whose steps.
        batches: on the device; getting them there is part of the step.
        device: that the steps are made on.
    """
    source = iter(batches)

    def steps(count: int) -> None:
        contender.train(islice(source, count))
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return steps


def again(batch: ImageTextBatch, device: torch.device) -> Iterator[ImageTextBatch]:
    """A batch of the CPU's memory over and over, handed on as a loader's are: ahead of the step."""
    if device.type == "cuda":
        batch = batch.pin_memory()
    return batches_on(repeat(batch), 1, device)


def counted(name: str, geometry: Geometry, size: int) -> dict[str, float]:
    """FLOPs per image of an objective's step (`pretraining.cost.flops_per_image`)."""
    reading = reading_of(name, geometry)
    with torch.device("meta"):  # shapes are all that is counted
        model = model_of(recipe_of(name, geometry, size), reading)
    return flops_per_image(model, reading, geometry.image_size, size)


def _phases(found: Found, training: Training, batch: ImageTextBatch, device: torch.device) -> None:
    """Time the phases of some steps, with and without sharing gradients."""

    source = again(batch, device)
    shared, apart = Timeline(device), Timeline(device)
    training.step(next(source))
    for _ in range(_PHASED):
        for timeline in (shared, apart) if world_size() > 1 else (shared,):
            with watched(training, timeline), training.apart() if timeline is apart else nullcontext():
                timeline.begin("data")
                training.step(next(source))
                timeline.begin(None)
    found.phases = {phase: seconds / _PHASED for phase, seconds in shared.seconds().items()}
    if world_size() > 1:
        alone = apart.seconds()["backward"] / _PHASED
        found.communication = max(0.0, found.phases["backward"] - alone)
        found.phases["backward"] -= found.communication


def machine(device: torch.device) -> dict[str, Any]:
    """What the figures depend on; part of their identity."""
    facts = {**software(device), "processor": processor(), "cores": cores()}
    if device.type == "cuda":
        facts |= {
            "memory_bytes": torch.cuda.get_device_properties(device).total_memory,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        }
    return facts
