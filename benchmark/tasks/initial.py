"""Transfer Init (arXiv 2404.15653, section 4.2) as tasks have it: where the weights of class layers start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from backbones.vit import SynsetClassifier
from benchmark.heads.transfer_init import initial_classifier
from benchmark.tasks.base import TaskContext
from common.errors import UserError
from common.settings import Settings
from pretraining.labels.matching import kinds_of_labels, match_labels
from pretraining.labels.synsets import Lexicon
from pretraining.labels.vocabulary import Vocabulary


class InitSettings(Settings):
    """What a task config may say under ``task`` of the class layer's first weights.

    Attributes:
        init: ``random``, as the head's own code draws them; or ``transfer``: rows of the classifier that the
            backbone was pre-trained with, for all labels that match one of its synsets.
        alpha: least path similarity of a match: 1 is the very synset, 0.5 also its parents and children.
        init_bias: ``own``: the copied rows' biases come along; ``zero``: they stay behind, since they are
            the log-odds of how rare a word is in captions, which the new task's images need not share.
    """

    init: Literal["random", "transfer"] = "random"
    alpha: float = Field(0.5, gt=0, le=1)
    init_bias: Literal["own", "zero"] = "own"


@dataclass(frozen=True)
class Initial:
    """A class layer to start from.

    Attributes:
        weight: [K, D], a row per label.
        bias: [K].
        matched: [K] bool: whether a label's row was copied; the others are drawn.
        report: how many labels matched how, and every match, for the record.
    """

    weight: Tensor
    bias: Tensor
    matched: Tensor
    report: dict[str, Any]


def initial_of(context: TaskContext, settings: InitSettings, labels: Sequence[str]) -> Initial | None:
    """The class layer that the cell's backbone starts a task with; None where it is a random one.

    Args:
        context: the cell.
        settings: what its config says.
        labels: in the order of the task's classes.

    Raises:
        UserError: the backbone was pre-trained without a classifier over synsets, or no label matches one.
    """
    if settings.init == "random":
        return None
    source = context.load_backbone().synset_classifier
    if source is None:
        raise UserError(
            f"{context.backbone} has no classifier over synsets to copy rows from: init='transfer' is for "
            "backbones that were pre-trained by CatLIP; leave it out for others"
        )
    return initial_from(source, settings, labels, context.seed)


def initial_from(
    source: SynsetClassifier, settings: InitSettings, labels: Sequence[str], seed: int
) -> Initial:
    """`initial_of` from a given classifier.

    Args:
        source: of the backbone.
        settings: alpha and bias.
        labels: in the order of the task's classes.
        seed: of the rows that are drawn.

    Raises:
        UserError: no label matches a class.
    """
    lexicon = Lexicon.load()
    names = tuple(lexicon.name(synset) for synset in source.synsets)
    vocabulary = Vocabulary(tuple(source.synsets), names, (0,) * len(names))
    matches = match_labels(labels, vocabulary, settings.alpha)
    matched = torch.zeros(len(labels), dtype=torch.bool)
    matched[[match.target for match in matches if match.class_index is not None]] = True
    if not matched.any():
        raise UserError(
            f"none of {len(labels)} labels ({labels[0]}, ...) is as near as alpha={settings.alpha:g} to one "
            f"of the {len(names)} synsets of the pre-training: lower task.alpha, or name the classes by "
            "words or WordNet ids"
        )
    weight, bias = initial_classifier(matches, source.weight.detach().cpu(), source.bias.detach().cpu(), seed)
    report = {
        "alpha": settings.alpha,
        "bias": settings.init_bias,
        "labels": kinds_of_labels(matches),
        "matches": [
            {key: value for key, value in asdict(match).items() if key in _REPORTED} for match in matches
        ],
    }
    return Initial(weight, bias if settings.init_bias == "own" else torch.zeros_like(bias), matched, report)


def start_rows(layer: nn.Linear | nn.Conv2d, initial: Initial, seed: int) -> None:
    """Copy rows into a class layer, in place; rows of labels without a match stay as they are.

    A layer as wide as the backbone gets rows and biases as they are. One of another width reads features
    that a head makes, in which a row means nothing; what can still be handed on is which classes are alike.
    Its rows are projected by a fixed random matrix with orthonormal columns or rows, which nearly keeps the
    angles between them, and scaled to the length that the layer's own rows have; biases stay as they are.

    Args:
        layer: a linear layer [K, F], or a convolution [K, F, 1, 1]; rows beyond K (the background) stay.
        initial: of K labels.
        seed: of the projection.
    """
    weight = layer.weight.detach().view(layer.weight.shape[0], -1)  # shares the layer's memory
    rows, width = initial.weight, weight.shape[1]
    chosen = initial.matched.nonzero()[:, 0]
    if width != rows.shape[1]:
        generator = torch.Generator().manual_seed(seed)
        projection = torch.empty(rows.shape[1], width)
        nn.init.orthogonal_(projection, generator=generator)
        rows = (rows - rows[chosen].mean(0)) @ projection
        rows = rows * (weight.norm(dim=1).mean().cpu() / rows[chosen].norm(dim=1).mean().clamp(min=1e-12))
    elif layer.bias is not None:
        layer.bias.detach()[chosen] = initial.bias[chosen].to(layer.bias)
    weight[chosen] = rows[chosen].to(weight)


def start_rows_of(model: nn.Module, path: str, initial: Initial, seed: int) -> None:
    """`start_rows` of the layer of a model that has a name.

    Args:
        path: its name in the model, dots included.

    Raises:
        UserError: the model has no such class layer, or one for fewer classes.
    """
    try:
        layer = model.get_submodule(path)
    except AttributeError:
        raise UserError(
            f"init='transfer' needs a class layer {path}, which {type(model).__name__} does not have: leave "
            "it out for this model"
        ) from None
    if not isinstance(layer, nn.Linear | nn.Conv2d) or layer.weight.shape[0] < len(initial.weight):
        raise UserError(f"init='transfer': {path} is no class layer for {len(initial.weight)} classes")
    start_rows(layer, initial, seed)


_REPORTED = {"label", "phrase", "name", "class_name", "similarity", "kind"}
