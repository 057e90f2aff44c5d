"""Zero-shot classification: labels named in words, nothing trained on the task's images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field

from backbones import catalog
from backbones.text import TextTower
from backbones.vit import SynsetClassifier
from benchmark.data.images import ImageSplit
from benchmark.features.frozen import EncodingSettings, FrozenFeatures
from benchmark.heads import zero_shot
from benchmark.metrics import accuracy, calibration
from benchmark.tasks.base import Outcome, Task, TaskContext
from benchmark.tasks.further import FurtherSettings, measure
from benchmark.tasks.splits import TrainingSplits, read_splits
from common.errors import UserError
from pretraining.labels.vocabulary import Vocabulary

BIASES: tuple[zero_shot.Bias, ...] = ("own", "zero", "rarity")
CHUNK = 8192


class ZeroShotSettings(TrainingSplits, FurtherSettings, EncodingSettings):
    """What a task config may say under ``task``.

    Attributes:
        by: ``captions``: a text tower reads the labels; ``synsets``: rows of the classifier that the backbone
            was pre-trained with; ``auto``: these where there are any.
        templates: of captions; see `benchmark.heads.zero_shot`.
        alpha: least path similarity of a row to a label, where the very synset is missing.
        bias: of rows; see `benchmark.heads.zero_shot`. The record has all of them.
        units: as for the linear probe.
    """

    by: Literal["auto", "captions", "synsets"] = "auto"
    templates: zero_shot.Templates = "openai"
    alpha: float = Field(0.5, gt=0, le=1)
    bias: zero_shot.Bias = "rarity"
    units: accuracy.Units = "images"


class ZeroShot(Task):
    """Looks at test images once; nothing is trained and nothing chosen."""

    def run(self, context: TaskContext) -> Outcome:
        settings = context.checked(ZeroShotSettings)
        train, _, test = read_splits(context, settings)
        frozen = FrozenFeatures(context, train, settings.encode_batch_size, settings.workers)
        source = None if settings.by == "captions" else context.load_backbone().synset_classifier
        if settings.by == "synsets" and source is None:
            raise UserError(
                f"{context.backbone} has no classifier over synsets: by='captions' is for backbones with a "
                "text tower"
            )
        context.report("naming classes")
        if source is None:
            named = _by_captions(settings, catalog.load_text(context.backbone), test.classes)
        else:
            named = _by_synsets(settings, source, test.classes)
        classifier = named.ways[named.used]

        def logits_of(images: ImageSplit, stage: str) -> np.ndarray:
            return classifier(frozen.of(images, stage).tensor()).double().numpy()

        features = frozen.of(test, "test").tensor()
        found = {way: made(features).double().numpy() for way, made in named.ways.items()}
        logits = found[named.used]
        details = dict(named.details)
        if source is not None:
            details["top1_by_bias"] = {
                way: round(100 * float((answers.argmax(1) == test.labels).mean()), 3)
                for way, answers in found.items()
            }
        further = measure(context, settings, test, logits, settings.units, logits_of)
        metrics = {
            **accuracy.measure(test.labels, logits, settings.units),
            **calibration.measure(test.labels, logits, None),
            **further.metrics,
        }
        return Outcome(
            primary="top1",
            metrics=metrics,
            per_image=accuracy.per_image(test.paths, test.labels, np.exp(calibration.log_softmax(logits))),
            chosen={"by": "captions" if source is None else "synsets"},
            details={
                **details,
                **({"further": further.details} if further.details else {}),
                "images": {"test": len(test)},
                "classes": len(test.classes),
                "image_size": frozen.preprocessing.size,
            },
            notes=named.notes,
            also=further.headlines,
            images=len(test) + further.images,
        )


Classifier = Callable[[torch.Tensor], torch.Tensor]
"""Class tokens [N, D] -> logits [N, K]."""


class Named(NamedTuple):
    """Classifiers of named classes.

    Attributes:
        ways: name of a way to make one -> it.
        used: the way that counts.
        details: for the record.
        notes: for under the tables.
    """

    ways: dict[str, Classifier]
    used: str
    details: dict[str, Any]
    notes: list[str]


def _by_captions(settings: ZeroShotSettings, tower: TextTower, classes: list[str]) -> Named:
    vectors = zero_shot.from_captions(tower, classes, settings.templates)

    def logits(features: torch.Tensor) -> torch.Tensor:
        parts = [tower.images(features[start : start + CHUNK]) for start in range(0, len(features), CHUNK)]
        return tower.logit_scale * torch.cat(parts) @ vectors.T

    return Named({"captions": logits}, "captions", {"templates": settings.templates}, [])


def _by_synsets(settings: ZeroShotSettings, source: SynsetClassifier, classes: list[str]) -> Named:
    """A classifier for each way to treat biases."""
    counts = None
    if source.vocabulary_file is not None:
        counts = Vocabulary.load(source.vocabulary_file).counts
    rows = zero_shot.from_synsets(source, classes, settings.alpha, counts)
    ways = {way: rows.classifier(way).logits for way in BIASES if way != "rarity" or counts is not None}
    used = settings.bias if settings.bias in ways else "own"
    none = rows.report["labels"]["none"]
    note = f"{none} of {len(classes)} labels name no synset: they are never predicted."
    return Named(ways, used, {"rows": rows.report, "bias": used}, [note] if none else [])
