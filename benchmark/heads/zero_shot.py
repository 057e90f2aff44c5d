"""Classifiers that nothing was trained for: from captions, or from the rows of a pre-trained classifier."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from backbones.text import TextTower
from backbones.vit import SynsetClassifier
from benchmark.data.labels import is_imagenet1k
from benchmark.heads.penalty_path import LinearClassifier
from common.errors import UserError
from pretraining.labels.matching import check_alpha, synsets_of_label
from pretraining.labels.synsets import Lexicon

Bias = Literal["own", "zero", "rarity"]
"""What becomes of a copied row's bias: ``own``: it stays, and with it how rare the word is in captions;
``zero``: it is left out; ``rarity``: the logarithm of the word's count in captions is taken off it, which
leaves what the bias says beyond that."""

Templates = Literal["openai", "simple", "name"]
"""OpenCLIP's 80 or 7 ways to say a name in a caption, or ``a photo of a NAME.`` alone."""

_WNID = re.compile(r"n(\d{8})")


def words_of(labels: Sequence[str]) -> list[str]:
    """Labels as a caption would say them: ``hot_dog`` -> ``hot dog``, ``n02084071`` -> ``dog``.

    ImageNet-1k's thousand ids are called what OpenCLIP (and OpenAI) calls them.
    """
    if is_imagenet1k(labels):
        from open_clip import IMAGENET_CLASSNAMES

        names = dict(zip(sorted(labels), IMAGENET_CLASSNAMES, strict=True))
        return [names[label] for label in labels]
    lexicon = Lexicon.load()

    def words(label: str) -> str:
        match = _WNID.fullmatch(label)
        if match and int(match[1]) in lexicon.row_of:
            label = lexicon.name(int(match[1])).rsplit(".", 2)[0]
        return label.replace("_", " ").strip()

    return [words(label) for label in labels]


def from_captions(tower: TextTower, labels: Sequence[str], templates: Templates) -> Tensor:
    """Class vectors as CLIP makes them (arXiv 2103.00020): [K, E] unit vectors.

    A class's vector is the mean of its captions' vectors, one caption per template, at unit length again.
    """
    from open_clip import OPENAI_IMAGENET_TEMPLATES, SIMPLE_IMAGENET_TEMPLATES

    ways = {
        "openai": OPENAI_IMAGENET_TEMPLATES,
        "simple": SIMPLE_IMAGENET_TEMPLATES,
        "name": (lambda name: f"a photo of a {name}.",),
    }[templates]
    captions = [way(name) for name in words_of(labels) for way in ways]
    vectors = tower.texts(captions).view(len(labels), len(ways), -1).mean(1)
    return F.normalize(vectors, dim=-1)


@dataclass(frozen=True)
class SynsetRows:
    """A classifier of labels made of a pre-trained classifier's rows.

    Attributes:
        weight: [K, D].
        bias: [K], the rows' own.
        log_count: [K], of the words in captions, meaned alike; None where counts are not known.
        known: [K] bool: whether WordNet knows a label; the others are never predicted.
        report: how many labels were composed how, for the record.
    """

    weight: Tensor
    bias: Tensor
    log_count: Tensor | None
    known: Tensor
    report: dict[str, Any]

    def classifier(self, bias: Bias) -> LinearClassifier:
        """The classifier with one of the ways to treat biases.

        Raises:
            UserError: it needs counts that are not known.
        """
        if bias == "rarity" and self.log_count is None:
            raise UserError("bias='rarity' needs the counts of words in captions, which are not known here")
        made = torch.zeros_like(self.bias) if bias == "zero" else self.bias
        if bias == "rarity":
            made = made - self.log_count
        # far below anything that a known label can have
        return LinearClassifier(self.weight.T, torch.where(self.known, made, torch.full_like(made, -1e4)))


def from_synsets(
    source: SynsetClassifier, labels: Sequence[str], alpha: float, counts: Sequence[int] | None = None
) -> SynsetRows:
    """Rows for labels, weighted by similarity.

    Of each synset that a label names, the row of that very synset is taken where the classifier has it; else
    the mean of all rows whose path similarity to it is at least `alpha`, each weighted by its similarity;
    else that of the nearest. A label of several synsets gets their mean.

    Args:
        source: the pre-trained classifier.
        labels: names of the new task's classes.
        alpha: in (0, 1].
        counts: of captions with each of the classifier's synsets; None where they are not known.

    Raises:
        UserError: no label names a synset, or a WordNet id is unknown.
    """
    check_alpha(alpha)
    near = _Neighbours(source.synsets)
    weight = source.weight.detach().float().cpu()
    bias = source.bias.detach().float().cpu()
    logs = torch.tensor(counts, dtype=torch.float32).clamp(min=1).log() if counts is not None else None
    mixes = torch.zeros(len(labels), len(weight))
    kinds = {"exact": 0, "similar": 0, "far": 0, "none": 0}
    order = list(kinds)
    for row, label in enumerate(labels):
        found = [near.weights(synset, alpha) for _, synset in synsets_of_label(label)]
        kinds[max((kind for _, kind in found), key=order.index, default="none")] += 1
        for shares, _ in found:
            total = sum(shares.values()) * len(found)
            for index, share in shares.items():
                mixes[row, index] += share / total
    if not mixes.any():
        raise UserError(
            f"none of {len(labels)} labels ({labels[0]}, ...) names a synset of WordNet: name the classes by "
            "words or WordNet ids"
        )
    return SynsetRows(
        mixes @ weight,
        mixes @ bias,
        None if logs is None else mixes @ logs,
        mixes.any(1),
        {"alpha": alpha, "labels": kinds},
    )


class _Neighbours:
    """Which of the classifier's synsets are how near to a synset."""

    def __init__(self, synsets: Sequence[int]) -> None:
        self._lexicon = Lexicon.load()
        self._index = {synset: number for number, synset in enumerate(synsets)}
        self._below: dict[int, list[tuple[int, int]]] = {}
        for number, synset in enumerate(synsets):
            for ancestor, steps in self._lexicon.distances(synset).items():
                self._below.setdefault(ancestor, []).append((number, steps))

    def weights(self, synset: int, alpha: float) -> tuple[dict[int, float], str]:
        """Class -> similarity, and whether that is ``exact``, ``similar`` or ``far``."""
        if synset in self._index:
            return {self._index[synset]: 1.0}, "exact"
        nearest: dict[int, int] = {}
        for ancestor, up in self._lexicon.distances(synset).items():
            for number, down in self._below.get(ancestor, ()):
                nearest[number] = min(up + down, nearest.get(number, up + down))
        similar = {n: 1 / (1 + steps) for n, steps in nearest.items() if 1 / (1 + steps) >= alpha}
        if similar:
            return similar, "similar"
        least = min(nearest.values())
        return {n: 1.0 for n, steps in nearest.items() if steps == least}, "far"
