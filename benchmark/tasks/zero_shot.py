"""Zero-shot classification: labels named in words, nothing trained on the task's images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field

from backbones import catalog
from backbones.text import TextTower
from backbones.vit import SynsetClassifier
from benchmark.data.images import ImageSplit
from benchmark.features.frozen import FrozenFeatures
from benchmark.heads import zero_shot
from benchmark.metrics import accuracy, calibration
from benchmark.tasks.base import Outcome, Task, TaskContext
from benchmark.tasks.further import FurtherSettings, measure
from benchmark.tasks.splits import TrainingSplits, read_splits
from common.errors import UserError
from pretraining.labels.vocabulary import Vocabulary

BIASES: tuple[zero_shot.Bias, ...] = ("own", "zero", "rarity")
CHUNK = 8192


class ZeroShotSettings(TrainingSplits, FurtherSettings):
    """What a task config may say under ``task``.

    Attributes:
        by: ``captions``: a text tower reads the labels; ``synsets``: rows of the classifier that the backbone
            was pre-trained with; ``auto``: these where there are any.
        templates: of captions; see `benchmark.heads.zero_shot`.
        alpha: least path similarity of a row to a label, where the very synset is missing.
        bias: of rows; see `benchmark.heads.zero_shot`. The record has all of them.
        units, encode_batch_size, workers: as for the linear probe.
    """

    by: Literal["auto", "captions", "synsets"] = "auto"
    templates: zero_shot.Templates = "openai"
    alpha: float = Field(0.5, gt=0, le=1)
    bias: zero_shot.Bias = "rarity"
    units: accuracy.Units = "images"
    encode_batch_size: int = Field(256, ge=1)
    workers: int = Field(2, ge=0)


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
        tower = catalog.load_text(context.backbone) if source is None else None
        context.report("naming classes")
        if tower is not None:
            how, classifier = {"by": "captions"}, _by_captions(settings, tower, test.classes)
            ways = {"captions": classifier}
            details, notes = {"templates": settings.templates}, []
        else:
            how = {"by": "synsets"}
            ways, details, notes = _by_synsets(settings, source, test.classes)
            classifier = ways[details["bias"]]

        def logits_of(images: ImageSplit, stage: str) -> np.ndarray:
            return classifier(frozen.of(images, stage).tensor()).double().numpy()

        logits = logits_of(test, "test")
        if tower is None:
            features = frozen.of(test, "test").tensor()
            details["top1_by_bias"] = {
                way: round(100 * float((made(features).argmax(1).numpy() == test.labels).mean()), 3)
                for way, made in ways.items()
            }
        further = measure(context, settings, test, logits, settings.units, logits_of)
        metrics = {
            **accuracy.measure(test.labels, logits, settings.units),
            **{
                name: metric
                for name, metric in calibration.measure(test.labels, logits, 1.0).items()
                if not name.endswith("_scaled")
            },
            **further.metrics,
        }
        return Outcome(
            primary="top1",
            metrics=metrics,
            per_image=accuracy.per_image(test.paths, test.labels, np.exp(calibration.log_softmax(logits))),
            chosen=how,
            details={
                **details,
                **({"further": further.details} if further.details else {}),
                "images": {"test": len(test)},
                "classes": len(test.classes),
                "image_size": frozen.preprocessing.size,
            },
            notes=notes,
            also=further.headlines,
            images=len(test) + further.images,
        )


Classifier = Callable[[torch.Tensor], torch.Tensor]
"""Class tokens [N, D] -> logits [N, K]."""


def _by_captions(settings: ZeroShotSettings, tower: TextTower, classes: list[str]) -> Classifier:
    vectors = zero_shot.from_captions(tower, classes, settings.templates)

    def logits(features: torch.Tensor) -> torch.Tensor:
        parts = [tower.images(features[start : start + CHUNK]) for start in range(0, len(features), CHUNK)]
        return tower.logit_scale * torch.cat(parts) @ vectors.T

    return logits


def _by_synsets(
    settings: ZeroShotSettings, source: SynsetClassifier, classes: list[str]
) -> tuple[dict[str, Classifier], dict[str, Any], list[str]]:
    """A classifier for each way to treat biases; which of them is used, among details; notes."""
    counts = None
    if source.vocabulary_file is not None:
        counts = Vocabulary.load(source.vocabulary_file).counts
    rows = zero_shot.from_synsets(source, classes, settings.alpha, counts)
    ways = [way for way in BIASES if way != "rarity" or counts is not None]
    made = {way: rows.classifier(way).logits for way in ways}
    details = {"rows": rows.report, "bias": settings.bias if settings.bias in made else "own"}
    none = rows.report["labels"]["none"]
    note = f"{none} of {len(classes)} labels name no synset: they are never predicted."
    return made, details, [note] if none else []
