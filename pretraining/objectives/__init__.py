"""Pre-training objectives, one file each, by the name configs use."""

from __future__ import annotations

from pretraining.objectives.base import ImageTextBatch, Objective
from pretraining.objectives.catlip import CatLIP
from pretraining.objectives.clip import CLIP

OBJECTIVES: dict[str, type[Objective]] = {objective.name: objective for objective in (CatLIP, CLIP)}

__all__ = ["CLIP", "OBJECTIVES", "CatLIP", "ImageTextBatch", "Objective"]
