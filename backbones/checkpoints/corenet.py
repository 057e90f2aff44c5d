"""``corenet:`` — ViTs of Apple's CoreNet: CatLIP, CLIP, fine-tuned classifiers, encoders of dense models.

``corenet:FILE`` or ``corenet:FILE?vocabulary=CSV``. The csv (``synset,name,count``, in the order of the
classes) names the rows of the pre-trained classifier; a ``vocabulary.csv`` beside the weights is found by
itself. The map of keys was proven by strict loading and equal logits against apple/corenet 1aa3acd.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from backbones.checkpoints.base import Reader
from backbones.checkpoints.files import read_state, split_options, weights_digest
from backbones.checkpoints.keys import Dropped, KeyReport, depth_of, rename, square_grid
from backbones.checkpoints.recognise import advice
from backbones.checkpoints.vocabulary import read_synsets
from common.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from backbones.card import Card
    from backbones.vit import SynsetClassifier, ViT

OPTIONS = ("vocabulary",)
_STEM = "patch_emb.0.block.conv.weight"
_EXACT = {
    "cls_token": "cls_token",
    "pos_embed.pos_embed.pos_embed": "pos_embed",
    "post_transformer_norm.weight": "norm.weight",
    "post_transformer_norm.bias": "norm.bias",
    "classifier.weight": "classifier.weight",
    "classifier.bias": "classifier.bias",
}
_PATTERNS = (
    (re.compile(r"patch_emb\.([012])\.block\.conv\.(weight|bias)"), "patch_embed.conv{0}.{1}"),
    (re.compile(r"patch_emb\.([01])\.block\.norm\.(\w+)"), "patch_embed.norm{0}.{1}"),
    (re.compile(r"transformer\.(\d+)\.pre_norm_mha\.0\.(weight|bias)"), "blocks.{0}.norm1.{1}"),
    (re.compile(r"transformer\.(\d+)\.pre_norm_mha\.1\.qkv_proj\.(weight|bias)"), "blocks.{0}.attn.qkv.{1}"),
    (
        re.compile(r"transformer\.(\d+)\.pre_norm_mha\.1\.out_proj(?:_attn)?\.(weight|bias)"),
        "blocks.{0}.attn.proj.{1}",
    ),
    (re.compile(r"transformer\.(\d+)\.pre_norm_ffn\.0\.(weight|bias)"), "blocks.{0}.norm2.{1}"),
    (re.compile(r"transformer\.(\d+)\.pre_norm_ffn\.1\.(weight|bias)"), "blocks.{0}.mlp.fc1.{1}"),
    (re.compile(r"transformer\.(\d+)\.pre_norm_ffn\.4\.(weight|bias)"), "blocks.{0}.mlp.fc2.{1}"),
)


class CoreNetReader(Reader):
    """Reads files of CoreNet."""

    source = "corenet"

    def load(self, rest: str, seed: int = 0, weights: bool = True) -> ViT:
        """Read a CoreNet checkpoint.

        Raises:
            UserError: no CoreNet ViT is in the file, or its tensors do not fit, or the vocabulary does not.
        """
        from backbones.checkpoints.assemble import assemble
        from backbones.layout import Layout, mlp_ratio
        from backbones.preprocessing import Preprocessing

        path, options = split_options(rest, OPTIONS)
        state = read_state(path, "corenet", weights)
        prefixes = [key[: -len(_STEM)] for key in state if key.endswith(_STEM)]
        if not prefixes:
            raise UserError(advice(state, "corenet", path))
        if len(prefixes) > 1:
            found = ", ".join(map(repr, prefixes))
            raise UserError(f"{path} holds several ViTs (below {found}): keep the one that is meant")
        tensors, report = rename(state, _rule(prefixes[0]), path, "corenet")
        classifier = _classifier(tensors, report, path, options.get("vocabulary"), prefixes[0])
        for needed in ("pos_embed", "patch_embed.conv3.weight", "blocks.0.mlp.fc1.weight"):
            if needed not in tensors:
                raise UserError(f"{path} lacks {needed} of the backbone: the file is incomplete")
        positions = tensors["pos_embed"].reshape(1, -1, tensors["pos_embed"].shape[-1])
        tensors["pos_embed"] = positions
        width = positions.shape[-1]
        has_class_token = "cls_token" in tensors
        if not has_class_token:
            report.notes.append("no class token in the file: the mean of the patches stands for it")
        layout = Layout(
            embed_dim=width,
            depth=depth_of(tensors, "blocks."),
            num_heads=max(width // 64, 1),
            image_size=16 * square_grid(positions.shape[1], path),
            mlp_ratio=mlp_ratio(tensors["blocks.0.mlp.fc1.weight"].shape[0], width),
            class_token=has_class_token,
            pooling="token" if has_class_token else "avg",
            positions="corenet",
        )
        # [0, 1] inputs without mean and standard deviation; evaluation resizes (bilinear) to 232, crops 224
        preprocessing = Preprocessing(size=layout.image_size, crop_pct=224 / 232)
        return assemble(layout, tensors, report, path, preprocessing, classifier)

    def digest(self, rest: str) -> str:
        """Digest of the weights and of the vocabulary."""
        return weights_digest("corenet", rest, OPTIONS)

    def describe(self, rest: str) -> Card:
        """The name of the file is all that is known."""
        from backbones.card import Card, NamedArchitecture

        path, _ = split_options(rest, OPTIONS)
        architecture = NamedArchitecture(name=path.stem, family="CoreNet ViT")
        return Card(architecture=architecture, objective=None, cost=None)


def _rule(prefix: str):
    def rule(key: str) -> str | Dropped | None:
        if not key.startswith(prefix):
            return Dropped(f"not below {prefix!r}, where the image encoder is")
        name = key[len(prefix) :]
        if name in _EXACT:
            return _EXACT[name]
        for pattern, target in _PATTERNS:
            if match := pattern.fullmatch(name):
                first, second = match.groups()
                return target.format(int(first) + 1 if target.startswith("patch") else first, second)
        if "neural_augmentor." in name:
            return Dropped("RangeAugment's learned ranges, used in training only")
        if name == "classifier.proj":
            return Dropped("projection into the space shared with the text")
        if name.startswith(("patch_emb.", "transformer.", "pos_embed.", "post_transformer_norm.")):
            return None
        return Dropped("not part of the ViT (head or neck of its task)")

    return rule


def _classifier(
    tensors: dict[str, Tensor], report: KeyReport, path: Path, named: str | None, prefix: str
) -> SynsetClassifier | None:
    """Take the classifier out of the tensors; keep it where a vocabulary says what its rows mean."""
    from backbones.vit import SynsetClassifier

    weight, bias = (tensors.pop(f"classifier.{part}", None) for part in ("weight", "bias"))
    if weight is None or bias is None:
        if named:
            raise UserError(f"{path} has no classifier for the vocabulary {named}: leave the vocabulary out")
        return None
    rows = len(weight)
    beside = path.parent / "vocabulary.csv"
    vocabulary = Path(named).expanduser() if named else beside if beside.is_file() else None
    synsets = read_synsets(vocabulary) if vocabulary else ()
    if len(synsets) == rows:
        return SynsetClassifier(weight.float(), bias.float(), synsets, vocabulary)
    if named:
        raise UserError(
            f"{named} has {len(synsets)} synsets, the classifier of {path} {rows} rows: name its own"
        )
    reason = f"classifier of {rows} classes without a vocabulary of synsets (corenet:FILE?vocabulary=CSV)"
    for part in ("weight", "bias"):
        key = f"{prefix}classifier.{part}"
        report.used.remove(key)
        report.dropped[key] = reason
    return None
