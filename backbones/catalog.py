"""Names of backbones: how each is loaded, described and told apart. Light until something is loaded.

Another package adds a source by an entry point in the group ``catlip_transfer.backbones``. Its name is the
source's (the word before the colon); it refers to a module or object with `load(rest) -> ViT` and, where they
make sense, `digest(rest) -> str` (it refuses what is cheap to know wrong), `describe(rest) -> dict`,
`ready(rest)` (it refuses weights that are not on this machine) and `entries() -> iterable of Entry or
(name, summary)`. It should import torch inside `load` only, so that listing stays quick.
"""

from __future__ import annotations

import difflib
import fnmatch
import importlib
import logging
from typing import TYPE_CHECKING, Any

from backbones.architectures import ARCHITECTURES
from backbones.released import RELEASED, Entry
from common.digest import digest
from common.errors import UserError

if TYPE_CHECKING:
    from backbones.layout import Layout
    from backbones.vit import ViT

__all__ = ["GROUP", "SOURCES", "Entry", "backbone_digest", "describe", "list_backbones", "load", "ready"]

_log = logging.getLogger(__name__)

GROUP = "catlip_transfer.backbones"

# source -> the module that reads it; `random` is made here
SOURCES: dict[str, str | None] = {
    "run": "backbones.checkpoints.run",
    "random": None,
    "corenet": "backbones.checkpoints.corenet",
    "openclip": "backbones.checkpoints.openclip",
    "openai": "backbones.checkpoints.openai",
    "hf": "backbones.checkpoints.huggingface",
    "timm": "backbones.checkpoints.timm",
    "superclass": "backbones.checkpoints.superclass",
}


def _foreign() -> dict[str, Any]:
    """Entry points of other packages by source; ours cannot be replaced."""
    from importlib.metadata import entry_points

    found: dict[str, Any] = {}
    for point in entry_points(group=GROUP):
        if point.name in SOURCES or point.name in found:
            _log.warning("%s names the source %r, which is taken: it is ignored", point.value, point.name)
        else:
            found[point.name] = point
    return found


def _split(name: str) -> tuple[str, str, Any]:
    """Source, the rest of the name, and the module that reads the source (None for ``random``).

    Raises:
        UserError: there is no such source, or another package's cannot be imported.
    """
    source, colon, rest = name.partition(":")
    if colon and rest and source in SOURCES:
        module = SOURCES[source]
        return source, rest, importlib.import_module(module) if module else None
    foreign = _foreign()
    if colon and rest and source in foreign:
        return source, rest, _imported(foreign[source])
    known = [*SOURCES, *foreign]
    close = difflib.get_close_matches(source, known, n=1)
    hint = f"; did you mean {close[0]}:{rest or '...'}?" if close else ""
    raise UserError(
        f"unknown backbone {name!r}: a name is SOURCE:REST with SOURCE one of {', '.join(known)}{hint}"
    )


def _imported(point: Any) -> Any:
    try:
        return point.load()
    except Exception as error:  # another package's import may fail in any way
        raise UserError(
            f"the source {point.name!r} is {point.value}, which cannot be imported ({error}): "
            "repair or remove that package"
        ) from error


def load(name: str, seed: int = 0) -> ViT:
    """See `backbones.load_backbone`."""
    _, rest, reader = _split(name)
    return reader.load(rest) if reader is not None else _random(rest, seed)


def _random(rest: str, seed: int) -> ViT:
    if rest in ARCHITECTURES:
        from backbones.vit import random_vit

        return random_vit(ARCHITECTURES[rest], seed).eval()
    _check_random(rest)
    import torch

    from backbones.checkpoints import timm

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return timm.build(rest)


def _check_random(rest: str) -> None:
    """Refuse an architecture that neither this suite nor timm knows. timm is asked last: it needs torch.

    Raises:
        UserError: there is no such plain ViT.
    """
    if rest in ARCHITECTURES:
        return
    if close := difflib.get_close_matches(rest, ARCHITECTURES, n=3):
        hint = f"did you mean {', '.join(close)}?"
    else:
        hint = "see python run_suite.py list backbones"
    if "conv16" in rest:
        raise UserError(f"unknown architecture {rest!r}: {hint}")
    from backbones.checkpoints import timm

    try:
        timm.check(rest)
    except UserError as error:
        raise UserError(f"unknown architecture {rest!r}, here or in timm: {hint}") from error


def ready(name: str) -> None:
    """Refuse, before a long run begins, weights that are not on this machine and may not be fetched.

    Raises:
        UserError: the message says how they are to be had.
    """
    _, rest, reader = _split(name)
    if hasattr(reader, "ready"):
        reader.ready(rest)


def backbone_digest(name: str) -> str:
    """What identifies a backbone's weights (`random:` weights are told apart by a cell's seed).

    No torch, except for names of timm's architectures, which only timm knows.

    Raises:
        UserError: what is cheap to know wrong: an unknown architecture, a missing or truncated file, a web
            page, safetensors of another source.
    """
    source, rest, reader = _split(name)
    if reader is not None:
        return reader.digest(rest) if hasattr(reader, "digest") else digest([source, rest])
    _check_random(rest)
    return digest(["random", _identity(ARCHITECTURES[rest]) if rest in ARCHITECTURES else rest])


def _identity(layout: Layout) -> dict[str, Any]:
    """What tells one named architecture from another.

    These seven fields alone, whatever else a layout says: the named architectures leave the others at their
    defaults, and a digest that counted them would set every result of earlier versions aside.
    """
    fields = ("embed_dim", "depth", "num_heads", "patch_size", "stem", "image_size", "mlp_ratio")
    return {field: getattr(layout, field) for field in fields}


def describe(name: str) -> dict[str, Any]:
    """What is known of a backbone without loading it: source, architecture, objective, cost of training."""
    source, rest, reader = _split(name)
    unknown = {"architecture": {"name": rest}, "objective": None, "cost": None}
    if reader is not None:
        return {"source": source, **unknown, **(reader.describe(rest) if hasattr(reader, "describe") else {})}
    if rest in ARCHITECTURES:
        unknown["architecture"] = ARCHITECTURES[rest].to_dict()
    return {"source": source, **unknown}


def list_backbones(pattern: str = "*") -> list[Entry]:
    """Backbones whose name matches a shell pattern (`*`, `?`), with or without its source.

    Names with FILE, FOLDER or a weights file in them say how the user's own copy is named; where it is to be
    had is part of the entry.
    """
    entries = []
    for name, shape in ARCHITECTURES.items():
        stem = "convolutional stem" if shape.stem == "conv" else "linear patches"
        size = f"width {shape.embed_dim}, depth {shape.depth}, {stem}, {shape.image_size} px"
        entries.append(Entry(f"random:{name}", f"untrained; {size}"))
    entries += RELEASED
    for source, point in _foreign().items():
        try:
            theirs = _imported(point)
            listed = (
                theirs.entries() if hasattr(theirs, "entries") else [Entry(f"{source}:NAME", point.value)]
            )
            entries += [entry if isinstance(entry, Entry) else Entry(*entry) for entry in listed]
        except Exception as error:  # one bad package must not take the list away
            _log.warning("backbones of %r cannot be listed: %s", source, error)
    return [e for e in entries if fnmatch.fnmatch(e.name, pattern) or fnmatch.fnmatch(e.name, f"*:{pattern}")]
