"""The embedded demo data: drawn once from open emoji art, written in the formats of the real data sets.

Pre-training scenes are drawn with Twemoji, every transfer task with OpenMoji, so a backbone is judged on
pictures it has never seen, of things it has read about.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark.demo_data.prepare import prepare
from benchmark.demo_data.spec import DemoSpec
from common.progress import Report

__all__ = ["DemoSpec", "draw", "prepare"]


def draw(root: Path, values: Mapping[str, Any], report: Report) -> Path:
    """Draw the demo data that a suite's ``prepare`` describes, unless they are there already.

    Args:
        root: folder of the data.
        values: fields of `DemoSpec`.
        report: as `prepare` takes it.

    Raises:
        UserError: an impossible value, or as `prepare`.
    """
    return prepare(root, DemoSpec.from_config(values), report)
