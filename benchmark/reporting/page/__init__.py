"""One page that holds everything a suite found: ``report.html``, to be read anywhere, without a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from common.files import write_text

if TYPE_CHECKING:
    from benchmark.reporting.results import Results

NAME = "report.html"
_PARTS = Path(__file__).parent


def write(results: Results) -> list[Path]:
    """Write the page, after the tables and plots that it shows.

    It fetches nothing: style, script and pictures are in it. Without scripts it is complete; with them,
    tables sort and links open what they lead to.
    """
    path = results.folder / NAME
    write_text(path, render(results))
    return [path]


def render(results: Results) -> str:
    """The page as HTML; whatever comes from records and files is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    from benchmark.reporting.page.head import head_of
    from benchmark.reporting.page.sections import sections_of

    environment = Environment(
        loader=FileSystemLoader(_PARTS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["kind"] = lambda block: type(block).__name__
    return environment.get_template("template.html").render(
        head=head_of(results),
        sections=sections_of(results),
        # our own files, the only text that is not escaped
        style=Markup((_PARTS / "style.css").read_text(encoding="utf-8")),
        script=Markup((_PARTS / "script.js").read_text(encoding="utf-8")),
    )
