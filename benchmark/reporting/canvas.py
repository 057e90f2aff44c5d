"""What all plots share: style, canvases outside pyplot, and files that are replaced whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from common.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

DPI = 160
UNDATED = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
"""Formats of a plot, and what keeps each from holding the time it was made."""
STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.8,
    "figure.constrained_layout.use": True,
    "legend.frameon": False,
    # Names of backbones are text: a dollar sign in one starts no formula.
    "text.parse_math": False,
    # in vector formats text stays text, and ids are not drawn by lot
    "svg.fonttype": "none",
    "svg.hashsalt": "catlip",
    "pdf.fonttype": 42,
}


def new_canvas(width: float, height: float) -> tuple[Canvas, Axes]:
    """A figure of one panel; the size is in inches."""
    canvas, panels = new_canvases(width, height, 1)
    return canvas, panels[0]


def new_canvases(
    width: float, height: float, count: int, columns: int | None = None
) -> tuple[Canvas, list[Axes]]:
    """A figure of its own, outside pyplot: nothing global is touched and no display is asked for.

    Args:
        width, height: of the whole, in inches.
        count: how many panels.
        columns: panels side by side; default all.
    """
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(width, height))
    columns = columns or count
    panels = canvas.subplots(-(-count // columns), columns, squeeze=False).flatten()
    for unused in panels[count:]:
        unused.set_visible(False)
    return canvas, list(panels[:count])


def save(canvas: Canvas, path: Path) -> list[Path]:
    """Write the figure as PNG, and beside it as SVG and PDF; the same figure gives the same bytes.

    Args:
        path: of the PNG.

    Returns:
        The three files.
    """
    # the layout is solved once: each format would solve it again, which takes longer than to draw it
    canvas.draw_without_rendering()
    canvas.set_layout_engine("none")
    files = []
    for suffix, undated in UNDATED.items():
        file = Path(path).with_suffix(suffix)
        with replacing(file) as temporary:
            canvas.savefig(temporary, dpi=DPI, metadata=undated)
        files.append(file)
    return files
