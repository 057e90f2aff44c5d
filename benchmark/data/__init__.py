"""Data sets as they lie on disk, one file per layout: how it is read, checked and glanced at.

Light: a layout is imported when somebody asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.errors import UserError
from common.names import imported, suggest

if TYPE_CHECKING:
    from benchmark.data.base import DataLayout

LAYOUTS = {
    "image_folder": "benchmark.data.labelled:LabelledImages",
    "coco": "benchmark.data.coco:Coco",
    "ade20k": "benchmark.data.ade20k:Ade20k",
    "pairs": "benchmark.data.pairs:Pairs",
}
"""Name -> ``module:Class`` of a `benchmark.data.base.DataLayout`."""


def layouts() -> list[DataLayout]:
    """All layouts of our own."""
    return [imported(target, "data layout")() for target in LAYOUTS.values()]


def layout_of(name: str) -> DataLayout | None:
    """The layout of data called `name`, as far as the name tells (`DataLayout.is_of`).

    Args:
        name: a name of data or of a layout, or ``module:Class`` of somebody else's layout.

    Raises:
        UserError: such a class cannot be imported.
    """
    if ":" in name:
        return imported(name, "data layout")()
    return next((layout for layout in layouts() if layout.is_of(name)), None)


def load_layout(name: str) -> DataLayout:
    """As `layout_of`, for a name that must mean a layout.

    Raises:
        UserError: it means none.
    """
    if (layout := layout_of(name)) is None:
        known = [known for layout in layouts() for known in (layout.name, *layout.also)]
        raise UserError(f"there is no layout of data called {name!r}: {suggest(name, known)}")
    return layout
