"""What is read of the details in the records of a study, typed: they are files, and may have been edited."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from benchmark.records.schema import Record
from common.terminal import printable

logger = logging.getLogger(__name__)


class _Found(BaseModel):
    """What was found of one contender, as far as it is shown here (`benchmark.speed.study.Found`)."""

    loader: float | None
    bounded_by: str | None
    phases: dict[str, float] | None


class _Forecast(BaseModel):
    """What the cost model said, as far as it is shown here."""

    device: str
    devices: int
    objectives: dict[str, dict[str, Any]]


class _Details(BaseModel):
    """The details of a record of a study, as far as they are shown here."""

    study: str
    reference: str
    contenders: list[str]
    rounds: int
    differences: dict[str, list[str]]
    left_out: list[str]
    machine: dict[str, Any]
    loaders: int
    forecast: _Forecast
    found: _Found


def is_of_a_study(folder: Path, record: Record) -> bool:
    """Whether a record tells all that is shown of it; one that was edited is named and left out."""
    try:
        details = _Details.model_validate(record.details)
    except ValidationError as error:
        first = error.errors()[0]
        problem = f"details.{'.'.join(map(str, first['loc']))}: {first['msg']}"
    else:
        if record.backbone.name in details.contenders:
            return True
        problem = f"{record.backbone.name!r} is none of its contenders"
    logger.warning("%s", printable(f"{folder / 'record.json'} is left out: {problem}"))
    return False
