"""Records that tests make up."""

from __future__ import annotations

from typing import Any

from benchmark.records.schema import BackboneInfo, Cost, DataInfo, Metric, Record, TaskInfo

COST = {
    "seconds": 301.5,
    "cpu_seconds": 590.0,
    "flops": 7.5e15,
    "samples": 64_000,
    "peak_memory_bytes": 3 << 30,
}
DESCRIPTIONS = {
    "random": {"source": "random", "objective": None, "cost": None},
    "clip": {"source": "run", "objective": "clip", "cost": COST},
    "catlip": {"source": "run", "objective": "catlip", "cost": {**COST, "seconds": 120.0}},
}


def record(backbone: str = "catlip", value: float = 66.0, **changes: Any) -> Record:
    """The finished cell of a linear probe, but for `changes`."""
    values = {
        "status": "done",
        "suite": "toy",
        "backbone": BackboneInfo(
            name=backbone,
            spec=f"run:{backbone}",
            description=DESCRIPTIONS.get(backbone, DESCRIPTIONS["catlip"]),
        ),
        "task": TaskInfo(name="probe", type="linear_probe", config="probe.py", config_digest="c", protocol=1),
        "data": DataInfo(name="toy", path="data", digest="d"),
        "seed": 0,
        "fingerprint": "f",
        "command": f"python run_suite.py run probe.py --backbone run:{backbone}",
        "started": "2026-01-01T00:00:00+00:00",
        "finished": "2026-01-01T00:00:10+00:00",
        "primary": "top1",
        "metrics": {
            "top1": Metric(value=value, low=value - 2, high=value + 2, n=80, method="wilson over classes"),
            "top1_over_images": Metric(
                value=value, low=value - 1, high=value + 1, n=2400, method="wilson over images"
            ),
        },
        "chosen": {"l2": 0.001},
        "notes": ["All images of a class show one drawing."],
        "cost": Cost(seconds=10.0),
    }
    return Record(**{**values, **changes})
