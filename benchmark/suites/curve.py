"""Where a suite looks at its pre-trainings on their way: quality against cost, not only at the end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.names import suggest


@dataclass(frozen=True)
class Curve:
    """The points of a curve before its end.

    Attributes:
        samples: counts at which every pre-training of the suite keeps a checkpoint, rising.
        tasks: names of the tasks that these are taken to.
    """

    samples: tuple[int, ...]
    tasks: tuple[str, ...]


def read_curve(path: Path, value: Any, tasks: Iterable[str]) -> Curve | None:
    """The entry `curve` of a suite's config.

    Args:
        path: of the suite, for messages.
        value: what its config says; None where it says nothing.
        tasks: names of the suite's tasks.

    Raises:
        UserError: it is no curve, or names a task that the suite does not have.
    """
    if value is None:
        return None
    if not isinstance(value, dict) or value.keys() != {"samples", "tasks"}:
        raise UserError(f"{path}: curve is {value!r}: write dict(samples=[...], tasks=[names of tasks])")
    samples, named = value["samples"], value["tasks"]
    counts = isinstance(samples, list | tuple) and samples and all(type(count) is int for count in samples)
    if not counts or list(samples) != sorted(set(samples)) or samples[0] < 1:
        raise UserError(f"{path}: curve: samples is {samples!r}: give a list of rising counts, from 1")
    if not isinstance(named, list | tuple) or not named:
        raise UserError(f"{path}: curve: tasks is {named!r}: give a list of names of the suite's tasks")
    known = sorted(tasks)
    for name in named:
        if name not in known:
            raise UserError(f"{path}: curve: the suite has no task {name!r}: {suggest(str(name), known)}")
    return Curve(tuple(samples), tuple(dict.fromkeys(named)))
