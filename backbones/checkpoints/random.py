"""``random:`` — untrained weights, the floor that every comparison needs.

``random:ARCHITECTURE`` is a shape of `backbones.architectures` or any plain ViT of timm. The weights depend
on the seed alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from backbones.architectures import ARCHITECTURES
from backbones.checkpoints.base import Reader
from backbones.released import Entry
from common.digest import digest
from common.errors import UserError
from common.names import closest

if TYPE_CHECKING:
    from backbones.card import Card
    from backbones.layout import Layout
    from backbones.vit import ViT


class RandomReader(Reader):
    """Draws weights."""

    source = "random"

    def load(self, rest: str, seed: int = 0, weights: bool = True) -> ViT:
        """An untrained ViT.

        Raises:
            UserError: neither this suite nor timm knows the architecture.
        """
        _check(rest)
        import torch

        from backbones.checkpoints import timm
        from backbones.vit import build_vit

        with torch.random.fork_rng(devices=[]), torch.device("cpu" if weights else "meta"):
            torch.manual_seed(seed)
            return build_vit(ARCHITECTURES[rest]).eval() if rest in ARCHITECTURES else timm.build(rest)

    def digest(self, rest: str) -> str:
        """Digest of the architecture; no torch, except for names that only timm knows.

        Raises:
            UserError: neither this suite nor timm knows the architecture.
        """
        _check(rest)
        return digest(["random", _identity(ARCHITECTURES[rest]) if rest in ARCHITECTURES else rest])

    def describe(self, rest: str) -> Card:
        """The architecture, in full where it is one of the suite's own."""
        card = super().describe(rest)
        if rest not in ARCHITECTURES:
            return card
        return card.model_copy(update={"architecture": ARCHITECTURES[rest]})

    def entries(self) -> Iterable[Entry]:
        """Every shape of the suite's own."""
        for name, layout in ARCHITECTURES.items():
            stem = "convolutional stem" if layout.stem == "conv" else "linear patches"
            size = f"width {layout.embed_dim}, depth {layout.depth}, {stem}, {layout.image_size} px"
            yield Entry(f"random:{name}", f"untrained; {size}")


def _identity(layout: Layout) -> dict[str, Any]:
    """What tells one named architecture from another.

    These seven fields alone, whatever else a layout says: the named architectures leave the others at their
    defaults, and a digest that counted them would set every result of earlier versions aside.
    """
    fields = ("embed_dim", "depth", "num_heads", "patch_size", "stem", "image_size", "mlp_ratio")
    return {field: getattr(layout, field) for field in fields}


def _check(name: str) -> None:
    """Refuse an architecture that neither this suite nor timm knows. timm is asked last: it needs torch.

    Raises:
        UserError: there is no such plain ViT.
    """
    if name in ARCHITECTURES:
        return
    close = closest(name, ARCHITECTURES)
    hint = f"did you mean {' or '.join(close)}?" if close else "see python run_suite.py list backbones"
    if "conv16" in name:
        raise UserError(f"unknown architecture {name!r}: {hint}")
    from backbones.checkpoints import timm

    try:
        timm.check(name)
    except UserError as error:
        raise UserError(f"unknown architecture {name!r}, here or in timm: {hint}") from error
