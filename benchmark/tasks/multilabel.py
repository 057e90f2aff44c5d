"""Multi-label classification: which of many classes a picture shows, by fine-tuning."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import pandas

from benchmark.data.images import ImageSplit
from benchmark.metrics import multilabel
from benchmark.tasks.base import Outcome
from benchmark.tasks.finetune import Finetune, FinetuneSettings
from common.errors import UserError


class MultiLabelSettings(FinetuneSettings):
    """The same as for fine-tuning, but that intervals are over images."""

    units: Literal["images"] = "images"


class MultiLabel(Finetune):
    """Trains a classifier of independent classes and tests it once; validation images are not needed."""

    several: ClassVar[bool] = True
    understood: ClassVar[type[FinetuneSettings]] = MultiLabelSettings

    def judge(
        self, settings: FinetuneSettings, found: dict[str, ImageSplit], logits: dict[str, np.ndarray]
    ) -> Outcome:
        test, scores = found["test"], logits["test"].astype(np.float64)
        if not test.labels.any():
            raise UserError(f"{test.root}: no test image shows any class: nothing can be measured")
        each = [
            multilabel.average_precision(test.labels[:, k], scores[:, k], np.ones((1, len(test))))[0]
            for k in range(len(test.classes))
        ]
        # The tail alone would underflow: 1 / (1 + e^-x) either way.
        probabilities = np.exp(-np.logaddexp(0, -scores)).astype(np.float32)
        return Outcome(
            primary="mAP",
            metrics=multilabel.measure(test.labels, scores),
            per_image=pandas.DataFrame(
                {
                    "path": test.paths,
                    "labels": [np.flatnonzero(row) for row in test.labels],
                    "probabilities": list(probabilities),
                }
            ),
            details={
                "class_ap": {
                    name: round(100 * float(value), 3)
                    for name, value in zip(test.classes, each, strict=True)
                    if np.isfinite(value)
                },
            },
        )
