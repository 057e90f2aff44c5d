"""A study as records like any other: one per contender."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmark.records.schema import (
    BackboneInfo,
    Cost,
    DataInfo,
    Metric,
    Record,
    TaskInfo,
    environment,
    now,
)
from benchmark.records.store import write_record
from benchmark.reporting.speed import PROTOCOL, SUITE
from benchmark.speed.contenders import FLOOR, REFERENCE
from benchmark.speed.ratios import (
    Ratio,
    bound,
    images_per_second,
    joules_per_image,
    ratios,
    seconds_per_image,
)
from benchmark.speed.study import Plan, Study
from benchmark.statistics.interval import Interval
from common.digest import digest
from common.names import slug

_PRIMARY = ("images_per_second", "images_per_second_largest_batch", "flops_per_image")
_TRUTH = "endless turns on this machine, as busy as it was"


def write_study(
    results: Path,
    name: str,
    config: str,
    plan: Plan,
    study: Study,
    machine: dict[str, Any],
    forecast: dict[str, Any],
    command: str,
    started: str,
    seconds: float,
) -> list[Path]:
    """Write a study's records, in the place of those of an earlier one with the same plan and machine.

    Args:
        results: the results folder.
        name: of the geometry.
        config: its file.
        plan, study: what was measured.
        machine: what the figures depend on (`benchmark.speed.study.machine`).
        forecast: what the cost model says (`benchmark.speed.forecast.forecast`).
        command: that measures it again.
        started: when it began.
        seconds: that it took.

    Returns:
        The records' folders: ``<results>/speed/<contender>/<geometry>/<place>-seed0``.
    """
    size = plan.batch_size or plan.geometry.batch_size
    axes = {
        "device": machine["device"],
        "processes": study.processes,
        "batch_size": size,
        "precision": study.precision,
        "recipe": "paper" if plan.as_published else "shared",
    }
    task = TaskInfo(
        name=name,
        type=SUITE,
        config=config,
        config_digest=digest(plan.geometry.model_dump(mode="json")),
        protocol=PROTOCOL,
        axes=axes,
    )
    # What tells one study from another: all that was asked for, and where.
    asked = {
        "objectives": plan.objectives,
        "batch_size": plan.batch_size,
        "largest": plan.largest,
        "pairs": plan.pairs is not None,
        "rounds": plan.rounds,
        "turn": plan.turn,
        "on": [forecast["devices"], forecast["device"]],
    }
    identity = {**axes, **asked, "machine": machine, "task": task.config_digest, "protocol": PROTOCOL}
    key = digest(identity)[:8]
    reference = reference_of(plan.objectives)
    folders = []
    for contender, found in study.found.items():
        measured = (found.same, found.largest, found.loaded)
        if not any(measured) and not found.flops:
            continue
        place = slug("-".join([*map(str, axes.values()), key]))
        folder = results / SUITE / slug(contender) / slug(name) / f"{place}-seed0"
        metrics = _metrics(study, contender, size, reference, plan.geometry.samples)
        metrics |= _forecast(forecast, contender, reference)
        record = Record(
            suite=SUITE,
            backbone=BackboneInfo(
                name=contender,
                spec=f"random:{plan.geometry.architecture}",
                description={"objective": _objective(contender)},
            ),
            task=task,
            data=DataInfo(name="pairs", path=str(plan.pairs or "noise")),
            seed=0,
            fingerprint=digest({**identity, "contender": contender}),
            command=command,
            status="done",
            started=started,
            finished=now(),
            primary=next(name for name in _PRIMARY if name in metrics),
            metrics=metrics,
            details={
                "found": asdict(found),
                "machine": machine,
                "reference": reference,
                "study": key,
                "contenders": list(study.found),
                "loaders": study.loaders,
                "left_out": study.left_out,
                "rounds": plan.rounds,
                "seconds_of_a_turn": plan.turn,
                "memory_budget": study.memory_budget,
                "energy": study.energy,
                "bound": bound(found, size),
                "differences": _differences(plan),
                "forecast": forecast,
            },
            cost=Cost(seconds=seconds),
            environment=environment(machine["threads"], machine["device"]),
        )
        write_record(folder, record)
        folders.append(folder)
    return folders


def reference_of(objectives: tuple[str, ...]) -> str:
    """Whom the others are compared with: CLIP, or else the last one."""
    return "clip" if "clip" in objectives else objectives[-1]


def _differences(plan: Plan) -> dict[str, list[str]]:
    """What sets objectives apart beside the objective: nothing, unless each is trained as published."""
    if not plan.as_published:
        return {}
    published = plan.geometry.published
    return {name: published[name].differences() for name in plan.objectives if name in published}


def _objective(contender: str) -> str | None:
    return {FLOOR: None, REFERENCE: "clip"}.get(contender, contender)


def _metrics(study: Study, name: str, size: int, reference: str, samples: int) -> dict[str, Metric]:
    found = study.found[name]
    metrics: dict[str, Metric] = {}
    for key, series, batch in (
        ("images_per_second", found.same, size),
        ("images_per_second_largest_batch", found.largest, found.largest_size),
        ("images_per_second_real_pairs", found.loaded, size),
    ):
        if series is not None:
            rate = images_per_second(series, batch, study.processes)
            metrics[key] = _timed(rate, "images/s", len(series.seconds))
    if found.same and (joules := joules_per_image(found.same, size, study.processes)):
        metrics["joules_per_image"] = _timed(joules, "J", len(found.same.joules), better=False)
    if series := found.largest or found.same:
        batch = found.largest_size if found.largest else size
        hours = seconds_per_image(series, batch) / 3600 * samples
        metrics["device_hours"] = Metric(value=hours, unit="h", higher_is_better=False)
    for key, value in (
        ("flops_per_image", found.flops and found.flops["total"]),
        ("peak_memory", found.memory),
        ("largest_batch", found.largest_size),
    ):
        if value is not None:
            unit = {"flops_per_image": "FLOP", "peak_memory": "bytes"}.get(key, "images")
            metrics[key] = Metric(value=value, unit=unit, higher_is_better=key == "largest_batch")
    if name != reference:
        metrics |= {ratio.metric: _ratio(ratio) for ratio in ratios(study, name, reference, size)}
    return metrics


def _forecast(forecast: dict[str, Any], name: str, reference: str) -> dict[str, Metric]:
    """Device-hours on the named devices, and how many times fewer they are than the reference's."""
    hours = {key: found["device_hours"] for key, found in forecast["objectives"].items()}
    if name not in hours:
        return {}
    method = f"cost model, {forecast['devices']} x {forecast['device']}"
    found = {
        "device_hours_predicted": Metric(value=hours[name], unit="h", method=method, higher_is_better=False)
    }
    if name != reference and reference in hours:
        found["cheaper_device_hours"] = Metric(value=hours[reference] / hours[name], unit="x", method=method)
    return found


def _timed(interval: Interval, unit: str, rounds: int, better: bool = True) -> Metric:
    return Metric(
        value=interval.value,
        low=interval.low,
        high=interval.high,
        n=rounds,
        unit=unit,
        method="trimmed mean over turns",
        truth=_TRUTH,
        higher_is_better=better,
    )


def _ratio(ratio: Ratio) -> Metric:
    if ratio.rounds is None:
        return Metric(value=ratio.interval.value, unit="x", method=ratio.method)
    metric = _timed(ratio.interval, "x", ratio.rounds)
    return metric.model_copy(update={"method": ratio.method})
