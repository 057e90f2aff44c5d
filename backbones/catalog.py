"""Names of backbones: how each is loaded, described and told apart. Light until something is loaded."""

from __future__ import annotations

import difflib
import fnmatch
from typing import TYPE_CHECKING, Any, NamedTuple

from backbones.architectures import ARCHITECTURES
from backbones.digest import digest
from backbones.errors import UserError

if TYPE_CHECKING:
    from backbones.vit import ViT

SOURCES = {
    "run": "a checkpoint folder of this suite's pre-training",
    "random": "untrained weights: the floor every comparison needs",
    "timm": "a ViT of timm with its pre-trained weights, NAME or NAME:FILE",
}


class Entry(NamedTuple):
    """One line of `list backbones`."""

    name: str
    summary: str


def _split(name: str) -> tuple[str, str]:
    source, colon, rest = name.partition(":")
    if not colon or source not in SOURCES or not rest:
        close = difflib.get_close_matches(source, SOURCES, n=1)
        hint = f"; did you mean {close[0]}:{rest or '...'}?" if close else ""
        raise UserError(
            f"unknown backbone {name!r}: a name is SOURCE:REST with SOURCE one of {', '.join(SOURCES)}{hint}"
        )
    return source, rest


def load(name: str, seed: int = 0) -> ViT:
    """See `backbones.load_backbone`."""
    source, rest = _split(name)
    if source == "run":
        from backbones.checkpoints import run

        return run.load(rest)
    from backbones.checkpoints import timm

    if source == "timm":
        return timm.load(rest)
    if rest in ARCHITECTURES:
        from backbones.vit import random_vit

        return random_vit(ARCHITECTURES[rest], seed).eval()
    if close := difflib.get_close_matches(rest, ARCHITECTURES, n=3):
        hint = f"did you mean {', '.join(close)}?"
    else:
        hint = "see python run_suite.py list backbones"
    if "conv16" in rest:
        raise UserError(f"unknown architecture {rest!r}: {hint}")
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            return timm.build(rest)
        except UserError as error:
            raise UserError(f"unknown architecture {rest!r}, here or in timm: {hint}") from error


def backbone_digest(name: str) -> str:
    """What identifies a backbone's weights (`random:` weights are told apart by a cell's seed). No torch."""
    source, rest = _split(name)
    if source == "run":
        from backbones.checkpoints import run

        return run.digest(rest)
    if source == "timm":
        from backbones.checkpoints import timm

        return timm.digest(rest)
    shape = ARCHITECTURES[rest].to_dict() if rest in ARCHITECTURES else rest
    return digest(["random", shape])


def describe(name: str) -> dict[str, Any]:
    """What is known of a backbone without loading it: source, architecture, objective, cost of training."""
    source, rest = _split(name)
    if source == "run":
        from backbones.checkpoints import run

        return {"source": source, **run.describe(rest)}
    architecture = ARCHITECTURES[rest].to_dict() if rest in ARCHITECTURES else {"name": rest}
    return {"source": source, "architecture": architecture, "objective": None, "cost": None}


def list_backbones(pattern: str = "*") -> list[Entry]:
    """Names that match a shell pattern (`*`, `?`), and how the other sources are named."""
    entries = []
    for name, shape in ARCHITECTURES.items():
        stem = "convolutional stem" if shape.stem == "conv" else "linear patches"
        summary = f"untrained; width {shape.embed_dim}, depth {shape.depth}, {stem}, {shape.image_size} px"
        entries.append(Entry(f"random:{name}", summary))
    entries.append(Entry("run:FOLDER", SOURCES["run"]))
    entries.append(Entry("timm:NAME[:FILE]", SOURCES["timm"]))
    return [e for e in entries if fnmatch.fnmatch(e.name, pattern) or fnmatch.fnmatch(e.name, f"*:{pattern}")]
