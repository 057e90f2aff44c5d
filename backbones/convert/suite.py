"""The suite's own folder, which ``run:`` reads: every layout, the preprocessing and the synset classifier."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backbones.layout import Layout
    from backbones.vit import ViT

SOURCE = "run"


def write(folder: Path, vit: ViT, layout: Layout, name: str) -> None:
    from backbones import catalog
    from backbones.checkpoints import run

    if vit.synset_classifier is not None:
        shutil.copyfile(vit.vocabulary_file, folder / "vocabulary.csv")
    kept = {
        key: value
        for key, value in catalog.describe(name).items()
        if key not in {"architecture", "preprocessing", "format", "source"}
    }
    run.save(folder, vit, {**kept, "architecture": asdict(layout), "converted_from": name})
