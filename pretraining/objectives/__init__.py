"""Pre-training objectives, one file each, by the name configs use. Light: imported when one is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from common.errors import UserError
from common.names import imported, suggest
from common.settings import Settings
from pretraining.objectives.options import CatLIPOptions, CLIPOptions

if TYPE_CHECKING:
    from pretraining.objectives.base import Objective


@dataclass(frozen=True)
class ObjectiveType:
    """What must be known of an objective without importing it, which takes torch.

    Attributes:
        target: ``module:Class`` of the implementation, a subclass of `pretraining.objectives.base.Objective`.
        files: what its reading says under this name: files that the fingerprint of a recipe covers.
        options: what a recipe may say to it; None: it finds out by itself.
    """

    target: str
    files: tuple[str, ...] = ()
    options: type[Settings] | None = None


OBJECTIVES = {
    "catlip": ObjectiveType(
        "pretraining.objectives.catlip:CatLIP", files=("vocabulary.csv",), options=CatLIPOptions
    ),
    "clip": ObjectiveType("pretraining.objectives.clip:CLIP", options=CLIPOptions),
}


def objective_type(name: str | None) -> ObjectiveType:
    """Look up an objective.

    Args:
        name: a key of `OBJECTIVES`, or ``module:Class`` of somebody else's `Objective`.

    Raises:
        UserError: no such objective.
    """
    if not isinstance(name, str):
        raise UserError(f"unknown objective {name!r}: name its type, one of {', '.join(OBJECTIVES)}")
    if name in OBJECTIVES:
        return OBJECTIVES[name]
    if ":" not in name:
        known = suggest(name, OBJECTIVES)
        raise UserError(f"unknown objective {name!r}: {known} (or module:Class of your own)")
    try:
        return ObjectiveType(name, imported(name, "objective").reads.files)
    except AttributeError:
        raise UserError(f"{name} is no Objective (pretraining.objectives.base): it reads nothing") from None


def load_objective(name: str | None) -> type[Objective]:
    """Import an objective.

    Raises:
        UserError: no such objective.
    """
    return imported(objective_type(name).target, "objective")
