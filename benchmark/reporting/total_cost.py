"""What a result has cost altogether: pre-training and transfer."""

from __future__ import annotations

from backbones.card import Card
from benchmark.records.schema import Record
from benchmark.reporting.results import Results


def total_device_hours(results: Results, name: str, task: str) -> float | None:
    """Device-hours of a backbone's pre-training and one transfer to a task, mean over their repetitions.

    Returns:
        None where one of them is not known, or nothing was pre-trained.
    """
    rows = [row for row in results.rows if (row.name, row.task, row.status) == (name, task, "done")]
    hours = [_device_hours(row.record) for row in rows]
    return None if not hours or None in hours else sum(hours) / len(hours)


def _device_hours(record: Record) -> float | None:
    cost = Card.from_record(record.backbone.description).cost
    if cost is None or cost.seconds is None or record.cost is None or record.cost.device_hours is None:
        return None
    return cost.seconds * (cost.devices or cost.processes or 1) / 3600 + record.cost.device_hours
