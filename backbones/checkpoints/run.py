"""``run:`` — the suite's own folder: weights.safetensors, backbone.json, vocabulary.csv.

Pre-training writes it, and so does ``python run_suite.py convert``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from backbones.checkpoints.base import Reader
from backbones.checkpoints.recognise import check_folder
from backbones.checkpoints.vocabulary import read_synsets
from backbones.layout import Layout
from common.digest import file_digest
from common.errors import UserError, first_line
from common.files import placed, replacing, write_json

if TYPE_CHECKING:
    from backbones.card import Card
    from backbones.text import TextTower
    from backbones.vit import ViT

FORMAT = 1
_CLASSIFIER = ("classifier.weight", "classifier.bias")


class RunReader(Reader):
    """Reads the suite's own folders."""

    source = "run"

    def load(self, rest: str, seed: int = 0, weights: bool = True) -> ViT:
        """Read a checkpoint folder into a `ViT`; without weights, backbone.json alone.

        Raises:
            UserError: the folder is unfinished, truncated or does not fit its own description.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        from backbones.checkpoints.assemble import empty_trunk
        from backbones.checkpoints.keys import adopt
        from backbones.vit import SynsetClassifier, ViT

        card, folder = self.describe(rest), placed(rest)
        if not isinstance(card.architecture, Layout) or card.preprocessing is None:
            raise UserError(
                f"{folder}/backbone.json has no architecture or no preprocessing of a ViT: pre-train again"
            )
        if card.architecture.embed_dim % card.architecture.num_heads:
            raise UserError(
                f"{folder}/backbone.json: its heads do not share the width evenly: pre-train again"
            )
        vit = ViT(empty_trunk(card.architecture), card.preprocessing)
        if not weights:
            return vit.eval()
        path = folder / "weights.safetensors"
        try:
            state = load_file(path)
        except (OSError, SafetensorError) as error:
            raise UserError(
                f"{path} cannot be read ({error}): move the folder away and pre-train again"
            ) from None
        classifier = [state.pop(key) for key in _CLASSIFIER if key in state]
        if classifier:
            vocabulary = folder / "vocabulary.csv"
            vit.synset_classifier = SynsetClassifier(*classifier, read_synsets(vocabulary), vocabulary)
        try:
            adopt(vit.trunk, state)
        except ValueError as error:
            raise UserError(f"{path} does not fit backbone.json beside it ({error})") from None
        return vit.eval()

    def text(self, rest: str) -> TextTower:
        """The tower that pre-training kept beside the backbone."""
        from backbones.text import read_text

        return read_text(placed(rest))

    def digest(self, rest: str) -> str:
        """Digest of the weights' bytes."""
        check_folder(placed(rest), "run")
        path = placed(rest) / "weights.safetensors"
        if not path.is_file():
            raise UserError(
                f"{path} does not exist: pre-train it first (python run_suite.py pretrain CONFIG)"
            )
        return file_digest(path)

    def describe(self, rest: str) -> Card:
        """What backbone.json says: architecture, preprocessing, objective, cost of training. Needs no torch.

        Raises:
            UserError: there is no finished checkpoint, or it is of a newer format.
        """
        from pydantic import ValidationError

        from backbones.card import Card, first_problem

        check_folder(placed(rest), "run")
        path = placed(rest) / "backbone.json"
        try:
            description = json.loads(path.read_text(encoding="utf-8"))
            version = int(description.get("format", 0))
        except FileNotFoundError:
            command = f"python run_suite.py pretrain CONFIG --out {rest}"
            raise UserError(f"{path} does not exist: pre-train it first ({command})") from None
        except (OSError, ValueError, TypeError, AttributeError, RecursionError, MemoryError) as error:
            raise UserError(
                f"{path} cannot be read ({first_line(error)}): move the folder away and pre-train again"
            ) from None
        if version > FORMAT:
            raise UserError(f"{path} has format {version}, newer than {FORMAT}: update the suite")
        try:
            return Card.model_validate(description)
        except ValidationError as error:
            raise UserError(
                f"{path} describes no ViT that is known here ({first_problem(error)}): update the suite"
            ) from None


def save(folder: Path, vit: ViT, card: Card) -> None:
    """Write a checkpoint folder; backbone.json comes last, so that its presence means the folder is complete.

    Args:
        folder: where to write; vocabulary.csv must be there already when the ViT has a synset classifier.
        vit: what to save; its architecture and preprocessing are part of what is written.
        card: what else backbone.json is to say: objective, cost, fingerprint, ...

    Raises:
        UserError: the ViT computes something that a `Layout` cannot say.
    """
    from safetensors.torch import save_file

    from backbones.trunk import layout_of

    card = card.model_copy(
        update={
            "format": FORMAT,
            "architecture": layout_of(vit.trunk),
            "preprocessing": vit.preprocessing,
        }
    )
    folder = Path(folder)
    state = {key: value.detach().contiguous().cpu() for key, value in vit.trunk.state_dict().items()}
    if vit.synset_classifier is not None:
        for key, value in zip(_CLASSIFIER, vit.synset_classifier[:2], strict=True):
            state[key] = value.detach().contiguous().cpu()
    with replacing(folder / "weights.safetensors") as temporary:
        save_file(state, temporary)
    write_json(folder / "backbone.json", card.to_dict())
