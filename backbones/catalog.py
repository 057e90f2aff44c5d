"""Names of backbones: how each is loaded, described and told apart. Light until something is loaded.

Another package adds a source by an entry point in the group ``catlip_transfer.backbones``. Its name is the
source's (the word before the colon); it refers to a `backbones.checkpoints.base.Reader`, the class or an
object of it.
"""

from __future__ import annotations

import fnmatch
import logging
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from backbones.checkpoints.base import Reader
from backbones.released import Entry
from common.errors import UserError
from common.names import closest

if TYPE_CHECKING:
    from backbones.card import Card
    from backbones.text import TextTower
    from backbones.vit import ViT

_log = logging.getLogger(__name__)

GROUP = "catlip_transfer.backbones"

SOURCES: dict[str, EntryPoint] = {
    source: EntryPoint(source, f"backbones.checkpoints.{reader}", GROUP)
    for source, reader in {
        "run": "run:RunReader",
        "random": "random:RandomReader",
        "corenet": "corenet:CoreNetReader",
        "openclip": "openclip:OpenCLIPReader",
        "openai": "openai:OpenAIReader",
        "hf": "huggingface:HuggingFaceReader",
        "timm": "timm:TimmReader",
        "superclass": "superclass:SuperClassReader",
    }.items()
}
"""Our own sources, named in the way of other packages'."""


def load(name: str, seed: int = 0) -> ViT:
    """See `backbones.load_backbone`."""
    reader, rest = _find(name)
    vit = reader.load(rest, seed)
    if vit.key_report is not None:
        _log.info("%s: %s", name, "; ".join(vit.key_report.lines()))
    return vit


def empty(name: str) -> ViT:
    """See `backbones.empty_backbone`."""
    reader, rest = _find(name)
    return reader.load(rest, weights=False).to("meta")


def load_text(name: str) -> TextTower:
    """The text tower beside the image tower of a backbone, by the backbone's name.

    Raises:
        UserError: it was trained without one, or it is not known how to read it.
    """
    reader, rest = _find(name)
    return reader.text(rest).eval()


def ready(name: str) -> None:
    """Refuse, before a long run begins, weights that are not on this machine and may not be fetched.

    Raises:
        UserError: the message says how they are to be had.
    """
    reader, rest = _find(name)
    reader.ready(rest)


def backbone_digest(name: str) -> str:
    """What identifies a backbone's weights (`random:` weights are told apart by a cell's seed).

    No torch, except for names of timm's architectures, which only timm knows.

    Raises:
        UserError: what is cheap to know wrong: an unknown architecture, a missing or truncated file, a web
            page, safetensors of another source.
    """
    reader, rest = _find(name)
    return reader.digest(rest)


def describe(name: str) -> Card:
    """What is known of a backbone without loading it: source, architecture, objective, cost of training.

    Raises:
        UserError: the source or the name is unknown.
    """
    reader, rest = _find(name)
    return reader.describe(rest).model_copy(update={"source": reader.source})


def list_backbones(pattern: str = "*") -> list[Entry]:
    """Backbones whose name matches a shell pattern (`*`, `?`), with or without its source.

    Names with FILE, FOLDER or a weights file in them say how the user's own copy is named; where it is to be
    had is part of the entry.
    """
    entries = [entry for point in SOURCES.values() for entry in _reader(point).entries()]
    for source, point in _foreign().items():
        try:
            entries += _reader(point).entries()
        except Exception as error:  # one bad package must not take the list away
            _log.warning("backbones of %r cannot be listed: %s", source, error)
    return [e for e in entries if fnmatch.fnmatch(e.name, pattern) or fnmatch.fnmatch(e.name, f"*:{pattern}")]


def _foreign() -> dict[str, EntryPoint]:
    """Entry points of other packages by source; ours cannot be replaced."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        if point.name in SOURCES or point.name in found:
            _log.warning("%s names the source %r, which is taken: it is ignored", point.value, point.name)
        else:
            found[point.name] = point
    return found


def _find(name: str) -> tuple[Reader, str]:
    """The reader of a name, and the name without its source.

    Raises:
        UserError: there is no such source, or another package's cannot be used.
    """
    source, colon, rest = name.partition(":")
    points = SOURCES if source in SOURCES else {**SOURCES, **_foreign()}
    if colon and rest and source in points:
        return _reader(points[source]), rest
    close = closest(source, points, count=1)
    hint = f"; did you mean {close[0]}:{rest or '...'}?" if close else ""
    raise UserError(
        f"unknown backbone {name!r}: a name is SOURCE:REST with SOURCE one of {', '.join(points)}{hint}"
    )


def _reader(point: EntryPoint) -> Reader:
    try:
        found = point.load()
        reader = found() if isinstance(found, type) else found
    except Exception as error:  # another package's import may fail in any way
        raise UserError(
            f"the source {point.name!r} is {point.value}, which cannot be imported ({error}): "
            "repair or remove that package"
        ) from error
    if not isinstance(reader, Reader) or reader.source != point.name:
        raise UserError(
            f"the source {point.name!r} is {point.value}, which is no backbones.checkpoints.base.Reader of "
            f"that source: update or remove that package"
        )
    return reader
