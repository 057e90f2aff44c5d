"""What a page is made of: sections of paragraphs, tables, figures and things to unfold."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TYPES = {".svg": "image/svg+xml", ".png": "image/png"}


@dataclass(frozen=True)
class Item:
    """A cell of a table.

    Attributes:
        text: what it says.
        small: said below it, smaller.
        link: the id on this page that it leads to.
        badge: a class of the style that it is marked with; never the only way to tell.
        sort: number that the column is sorted by; None: by the text.
    """

    text: str
    small: str = ""
    link: str = ""
    badge: str = ""
    sort: float | None = None


@dataclass(frozen=True)
class Grid:
    """A table.

    Attributes:
        caption: what it is of.
        header: names of its columns.
        rows: their cells.
        names: how many columns from the left are no numbers; the first is the row's head.
        anchors: ids of the rows, where anything leads to them.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Item]]
    names: int = 1
    anchors: Sequence[str] = ()

    @classmethod
    def of_text(
        cls, caption: str, header: Sequence[str], lines: Iterable[Sequence[str]], names: int = 1
    ) -> Grid:
        """A table of plain text."""
        return cls(caption, header, [[Item(str(cell)) for cell in line] for line in lines], names)


@dataclass(frozen=True)
class Figure:
    """A plot, inlined.

    Attributes:
        source: data URI.
        alt: what it shows, for who cannot see it.
        caption: below it.
        wide: whether it needs the whole width.
    """

    source: str
    alt: str
    caption: str = ""
    wide: bool = True

    @classmethod
    def of_file(cls, path: Path, alt: str, caption: str = "", wide: bool = True) -> Figure | None:
        """A figure of a file, its vector form where there is one beside it; None where there is neither."""
        for file in (Path(path).with_suffix(".svg"), Path(path)):
            if file.suffix in TYPES and file.is_file():
                content = file.read_bytes()
                if file.suffix == ".svg":
                    content = _slim(content.decode("utf-8")).encode()
                return cls(data_uri(content, TYPES[file.suffix]), alt, caption, wide)
        return None


@dataclass(frozen=True)
class Words:
    """Paragraphs, or points of a list."""

    lines: Sequence[str]
    listed: bool = False
    strong: bool = False


@dataclass(frozen=True)
class Detail:
    """Something to unfold: a summary, and names with values.

    Attributes:
        anchor: its id.
        pairs: (name, value).
        code: text that is shown as it is, for instance a command.
    """

    summary: str
    anchor: str
    pairs: Sequence[tuple[str, str]]
    code: str = ""


@dataclass(frozen=True)
class Verdicts:
    """The headline: of each a sentence, its verdict in a word, and the badge's class."""

    entries: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Picture:
    """A small picture, inlined: data URI, what it shows in words, size in pixels."""

    source: str
    alt: str
    width: int
    height: int

    @classmethod
    def of(cls, content: bytes, media_type: str, alt: str, width: int, height: int) -> Picture:
        """A picture of encoded bytes."""
        return cls(data_uri(content, media_type), alt, width, height)


@dataclass(frozen=True)
class Pictures:
    """Pictures side by side, a row for each image.

    Attributes:
        title: of the gallery.
        explanation: which images these are.
        columns: what stands in which.
        rows: pictures, or words about them.
        notes: below.
    """

    title: str
    explanation: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Picture | str]]
    notes: Sequence[str] = ()


@dataclass
class Section:
    """A part of the page with a heading.

    Attributes:
        anchor: its id.
        title: its heading.
        blocks: what it holds, in order.
        lead: said first.
    """

    anchor: str
    title: str
    blocks: list[Grid | Figure | Words | Detail | Verdicts | Pictures] = field(default_factory=list)
    lead: str = ""


def data_uri(content: bytes, media_type: str) -> str:
    """Bytes as a URI that needs no network."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def _slim(svg: str) -> str:
    """A drawing without its metadata, and with coordinates to a hundredth of a point."""
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    return re.sub(r"(\d+\.\d{2})\d+", r"\1", svg)
