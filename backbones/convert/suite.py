"""The suite's own folder, which ``run:`` reads: every layout, the preprocessing and the synset classifier."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backbones.layout import Layout
    from backbones.vit import ViT

SOURCE = "run"


def write(folder: Path, vit: ViT, layout: Layout, name: str) -> None:
    """Write the folder, with what the backbone's own card says."""
    from backbones import catalog
    from backbones.card import Card
    from backbones.checkpoints import run

    if vit.synset_classifier is not None:
        shutil.copyfile(vit.synset_classifier.vocabulary_file, folder / "vocabulary.csv")
    known = {key: value for key, value in catalog.describe(name).to_dict().items() if key != "source"}
    run.save(folder, vit, Card(**{**known, "converted_from": name}))
