"""Linear probe: a linear classifier on frozen features, its penalty chosen on validation images."""

from __future__ import annotations

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from benchmark import features
from benchmark.data.images import ImageSplit
from benchmark.heads import logistic
from benchmark.metrics import accuracy
from benchmark.tasks.base import Outcome, Task, TaskContext
from benchmark.tasks.splits import SplitSettings, read_splits


class ProbeSettings(SplitSettings):
    """What a task config may say under ``task``.

    Attributes:
        feature: ``class_token``, ``patch_mean`` (mean of the patch tokens) or ``both`` side by side.
        l2: (smallest, largest, count) of the strengths tried, evenly spaced in their logarithm. The loss is
            mean cross-entropy + l2 / 2 · ||weight||² on features standardised by the training images.
        units: what was sampled independently, which the intervals are over: ``images``, or ``classes`` where
            all images of a class share one drawing.
        encode_batch_size, workers: of reading and encoding; no influence on the result beyond rounding.
    """

    feature: features.Feature = "class_token"
    l2: tuple[float, float, int] = (1e-6, 1e1, 15)
    units: accuracy.Units = "images"
    encode_batch_size: int = Field(256, ge=1)
    workers: int = Field(2, ge=0)

    @model_validator(mode="after")
    def _grid(self) -> ProbeSettings:
        low, high, count = self.l2
        if not (0 < low <= high and count >= 1):
            raise ValueError(f"l2={self.l2}: give (smallest > 0, largest, count)")
        return self

    def strengths(self) -> list[float]:
        """The grid, strongest first."""
        low, high, count = self.l2
        return [float(f"{value:.6g}") for value in np.geomspace(high, low, count)]


class LinearProbe(Task):
    """Trains on the training split, chooses the penalty on validation, looks at test once, at the end."""

    def run(self, context: TaskContext) -> Outcome:
        settings = context.checked(ProbeSettings)
        train, val, test = read_splits(context, settings)
        frozen = features.FrozenFeatures(context, train, settings.encode_batch_size, settings.workers)

        def encode(images: ImageSplit, name: str) -> Tensor:
            return frozen.of(images, name, settings.feature)

        train_features, val_features = encode(train, "train"), encode(val, "val")
        scale = logistic.Standardiser(train_features)
        chosen = logistic.choose(
            scale(train_features),
            torch.as_tensor(train.labels),
            scale(val_features),
            torch.as_tensor(val.labels),
            settings.strengths(),
            context.report,
        )
        scores = chosen.classifier.probabilities(scale(encode(test, "test"))).cpu().numpy()
        return Outcome(
            primary="top1",
            metrics=accuracy.measure(test.labels, scores, settings.units),
            per_image=accuracy.per_image(test.paths, test.labels, scores),
            chosen={"l2": chosen.l2},
            details={
                "sweep": chosen.tried,
                "images": {"train": len(train), "val": len(val), "test": len(test)},
                "classes": len(train.classes),
                "feature": settings.feature,
                "feature_width": train_features.shape[1],
                "image_size": frozen.vit.preprocessing.size,
            },
            notes=_notes(chosen),
            images=len(train) + len(val) + len(test),
        )


def _notes(chosen: logistic.Choice) -> list[str]:
    notes, tried = [], chosen.tried
    if len(tried) > 1 and chosen.l2 in {tried[0]["l2"], tried[-1]["l2"]}:
        notes.append(f"The best penalty, l2={chosen.l2:g}, is at the edge of the grid: widen task.l2.")
    if unsolved := [f"{entry['l2']:g}" for entry in tried if not entry["converged"]]:
        notes.append(f"The solver stopped before convergence at l2={', '.join(unsolved)}.")
    return notes
