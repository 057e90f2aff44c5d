"""What all plots share: style, canvases outside pyplot, formats, and files that are replaced whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from common.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

DPI = 160
FORMATS = (".png", ".svg", ".pdf")
"""Suffixes of the files that `save` writes."""
_VECTOR = {"svg.fonttype": "none", "svg.hashsalt": "catlip", "pdf.fonttype": 42}
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
    """Write the figure as PNG, SVG and PDF beside each other, the same bytes whenever it is the same figure.

    Panels and labels are laid out once for all three. Text stays text: SVG keeps it as such, PDF embeds
    TrueType fonts, as publishers ask for.

    Args:
        path: of one of the files; the others have its name and suffixes of their own.

    Returns:
        The files, the PNG first.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    files = [path.with_suffix(suffix) for suffix in FORMATS]
    png, svg, pdf = files
    canvas.set_dpi(DPI)
    image = FigureCanvasAgg(canvas)
    if engine := canvas.get_layout_engine():
        engine.execute(canvas)
        canvas.set_layout_engine("none")
    with replacing(png) as temporary:
        image.print_png(temporary)
    with mpl.rc_context(_VECTOR), replacing(svg) as temporary:
        FigureCanvasSVG(canvas).print_svg(temporary, metadata={"Date": None})
    with mpl.rc_context(_VECTOR), replacing(pdf) as temporary:
        FigureCanvasPdf(canvas).print_pdf(temporary, metadata={"CreationDate": None})
    return files
