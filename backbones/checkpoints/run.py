"""``run:`` — the suite's own folder: weights.safetensors, backbone.json, vocabulary.csv.

Pre-training writes it, and so does ``python run_suite.py convert``.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from backbones.checkpoints.recognise import check_folder
from backbones.layout import Layout
from common.digest import file_digest
from common.errors import UserError
from common.files import replacing, write_json

FORMAT = 1
_CLASSIFIER = ("classifier.weight", "classifier.bias")


def describe(folder: str) -> dict[str, Any]:
    """What backbone.json says: architecture, preprocessing, objective, cost of training. Needs no torch.

    Raises:
        UserError: there is no finished checkpoint, or it is of a newer format.
    """
    check_folder(Path(folder), "run")
    path = Path(folder) / "backbone.json"
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"{path} does not exist: pre-train it first (python run_suite.py pretrain CONFIG --out {folder})"
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}): remove the folder and pre-train again") from None
    if description.get("format", 0) > FORMAT:
        raise UserError(f"{path} has format {description['format']}, newer than {FORMAT}: update the suite")
    return description


def digest(folder: str) -> str:
    """Digest of the weights' bytes."""
    check_folder(Path(folder), "run")
    path = Path(folder) / "weights.safetensors"
    if not path.is_file():
        raise UserError(f"{path} does not exist: pre-train it first (python run_suite.py pretrain CONFIG)")
    return file_digest(path)


def load(folder: str):
    """Read a checkpoint folder into a `ViT`.

    Raises:
        UserError: the folder is unfinished, truncated or does not fit its own description.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from backbones.checkpoints.assemble import empty_trunk
    from backbones.checkpoints.state import adopt
    from backbones.vit import Preprocessing, SynsetClassifier, ViT

    description = describe(folder)
    path = Path(folder) / "weights.safetensors"
    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} cannot be read ({error}): remove the folder and pre-train again") from None
    try:
        layout = Layout(**description["architecture"])
        preprocessing = Preprocessing.from_dict(description["preprocessing"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{folder}/backbone.json describes no ViT that is known here ({error}): update the suite"
        ) from None
    vit = ViT(empty_trunk(layout), preprocessing)
    classifier = [state.pop(key) for key in _CLASSIFIER if key in state]
    if classifier:
        vit.vocabulary_file = Path(folder) / "vocabulary.csv"
        vit.synset_classifier = SynsetClassifier(*classifier, _synsets(vit.vocabulary_file))
    try:
        adopt(vit.trunk, state)
    except ValueError as error:
        raise UserError(f"{path} does not fit backbone.json beside it ({error})") from None
    return vit.eval()


def save(folder: Path, vit, description: dict[str, Any]) -> None:
    """Write a checkpoint folder; backbone.json comes last, so that its presence means the folder is complete.

    Args:
        folder: where to write; vocabulary.csv must be there already when the ViT has a synset classifier.
        vit: the `ViT` to save.
        description: what else backbone.json is to say (objective, cost, fingerprint, ...).
    """
    from safetensors.torch import save_file

    folder = Path(folder)
    state = {key: value.detach().contiguous().cpu() for key, value in vit.trunk.state_dict().items()}
    if vit.synset_classifier is not None:
        for key, value in zip(_CLASSIFIER, vit.synset_classifier[:2], strict=True):
            state[key] = value.detach().contiguous().cpu()
    with replacing(folder / "weights.safetensors") as temporary:
        save_file(state, temporary)
    description = {
        "format": FORMAT,
        "preprocessing": vit.preprocessing.to_dict(),
        **description,
    }
    write_json(folder / "backbone.json", description)


def _synsets(path: Path) -> tuple[int, ...]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return tuple(int(row["synset"]) for row in csv.DictReader(file))
    except (OSError, KeyError, ValueError) as error:
        raise UserError(f"{path} cannot be read as a vocabulary ({error}): pre-train again") from None
