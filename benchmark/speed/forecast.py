"""What the cost model says of a study's objectives on devices that are not here."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any

from benchmark.speed.cost_model import (
    PROCESSES,
    Prediction,
    device_hours,
    largest_batch,
    predict,
    scaling,
    usable_memory,
)
from benchmark.speed.counting import count
from benchmark.speed.devices import Device
from benchmark.speed.geometry import Geometry
from benchmark.speed.paper import paper_accounts
from common.errors import UserError
from common.progress import Report, silent
from pretraining.recipe import Recipe

GLOBAL_BATCH = 65_536
"""Images per step over all devices (arXiv 2404.15653, section 4), where memory has room for them."""

ALONE = 64
"""Images per step of a device of which nobody says how many there are."""


def forecast(
    geometry: Geometry,
    objectives: tuple[str, ...],
    device: Device,
    devices: int,
    batch_size: int,
    report: Report = silent,
) -> dict[str, Any]:
    """Device-hours of a whole pre-training, how they come about, and how they scale; as JSON can hold it.

    Args:
        geometry: shapes, and samples of the training.
        objectives: by name.
        device: of what kind the devices are.
        devices: how many.
        batch_size: images per device and step of the scaling.
        report: told of each part.

    Returns:
        ``device``, ``devices``; ``objectives``: name -> ``batch_size`` (a share of `GLOBAL_BATCH`, or what
        fits), ``terms`` (seconds per step), ``memory``, ``device_hours``; ``scaling``: rows of ``name``,
        ``devices``, ``batch_size``, ``images_per_second``; ``paper``: rows of `paper_accounts` where
        something is published of this geometry.
    """
    hours = {}
    for name in objectives:
        report(f"predicting {name} on {devices} x {device.name}")
        prediction = _trained(name, geometry, device, devices)
        hours[name] = {
            "batch_size": prediction.batch_size,
            "terms": asdict(prediction.terms),
            "memory": prediction.memory,
            "device_hours": device_hours(geometry.samples, prediction.batch_size, prediction.terms.seconds),
        }
    report("predicting how it scales")
    rows = [
        {
            "name": prediction.name,
            "devices": prediction.devices,
            "batch_size": prediction.batch_size,
            "images_per_second": prediction.images_per_second,
        }
        for prediction in scaling(objectives, geometry, device, batch_size, "bf16", PROCESSES)
    ]
    accounts = []
    if "catlip" in geometry.published and {"catlip", "clip"} <= set(objectives):
        report("taking the paper's ratio apart")
        accounts = [
            {
                "device": account.device,
                "assuming": account.assuming,
                "factors": account.factors,
                "predicted": account.predicted,
            }
            for account in paper_accounts(geometry)
        ]
    return {
        "device": device.name,
        "devices": devices,
        "objectives": hours,
        "scaling": rows,
        "paper": accounts,
    }


def per_sample(recipe: Recipe, classes: int | None, device: Device) -> tuple[float, float]:
    """FLOPs, and device-seconds of one device alone, that a sample of a pre-training takes.

    Steps of up to `ALONE` images are predicted: what a larger share of the batch saves is left out, and so is
    communication.

    Args:
        recipe: of the pre-training.
        classes: that it learns; None where its objective reads no labels.
        device: that it would run on.

    Raises:
        UserError: the objective is unknown.
    """
    name, batch = recipe.objective["type"], min(ALONE, recipe.batch_size)
    options = {key: value for key, value in recipe.objective.items() if key != "type"}
    whole = Geometry(
        architecture=recipe.architecture,
        image_size=recipe.image_size,
        classes=classes or 1,
        objectives={name: options},
        batch_size=batch,
        samples=recipe.samples,
    )
    phases = [(1 - recipe.dropping, whole)]
    if recipe.token_drop:
        phases.append((recipe.dropping, whole.model_copy(update={"token_drop": recipe.token_drop.rate})))
    found = [(share, predict(name, geometry, device, batch)) for share, geometry in phases if share]
    flops = sum(share * phase.flops for share, phase in found) / batch
    return flops, sum(share * phase.device_seconds for share, phase in found)


def _trained(name: str, geometry: Geometry, device: Device, devices: int) -> Prediction:
    """An objective's training with its share of the global batch, or with as much of it as fits."""
    share = max(1, GLOBAL_BATCH // devices)
    found = predict(name, geometry, device, share, devices)
    if found.memory <= usable_memory(device):
        return found
    fitting = partial(count, name, geometry, precision="bf16", device=device.kind, processes=devices)
    most = largest_batch(lambda batch: fitting(batch_size=batch), device)
    if most == 0:
        raise UserError(f"not one image of {name} fits into a {device.name}: name another device with --on")
    return predict(name, geometry, device, most, devices)
