"""The embedded demo data: drawn once from open emoji art, written in the formats of the real data sets.

Pre-training scenes are drawn with Twemoji, every transfer task with OpenMoji, so a backbone is judged on
pictures it has never seen, of things it has read about.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark.demo_data.drawing import draw_missing
from benchmark.demo_data.spec import DemoSpec
from common.progress import Report

__all__ = ["DemoSpec", "draw", "draw_missing"]


def draw(root: Path, values: Mapping[str, Any], report: Report) -> Path:
    """Draw the demo data that a suite's ``prepare`` describes, unless they are there already.

    Args:
        root: folder of the data.
        values: fields of `DemoSpec`.
        report: as `draw_missing` takes it.

    Raises:
        UserError: an impossible value, or as `draw_missing`.
    """
    return draw_missing(root, DemoSpec.from_config(values), report)
