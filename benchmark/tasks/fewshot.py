"""Few-shot classification: a linear classifier from a few images of each class, several times drawn."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev

import numpy as np
import torch
from pydantic import Field, field_validator

from benchmark.data.subsets import shots
from benchmark.features.frozen import EncodingSettings, Feature, FrozenFeatures
from benchmark.heads.penalty_path import GOOD_ENOUGH, LinearClassifier, Path, Rows, Standardiser
from benchmark.metrics import accuracy
from benchmark.records.schema import Metric
from benchmark.tasks.base import Outcome, Task, TaskContext
from benchmark.tasks.initial import InitSettings, initial_of
from benchmark.tasks.splits import SplitSettings, read_splits


class FewShotSettings(SplitSettings, InitSettings, EncodingSettings):
    """What a task config may say under ``task``.

    Attributes:
        feature: kind of frozen feature.
        shots: images of each class that are trained on. Those of a smaller number are among those of a larger
            one, draw by draw.
        draws: how often they are drawn.
        l2: strengths of the penalty, of which the one that does best on the validation images, on average
            over the draws, is taken for each number of shots. As for the linear probe, features are
            standardised: by those that are trained on.
        units: as for the linear probe.
    """

    feature: Feature = "class_token"
    shots: tuple[int, ...] = (1, 2, 4, 8, 16)
    draws: int = Field(10, ge=1)
    l2: tuple[float, ...] = (1.0, 1e-1, 1e-2, 1e-3)
    units: accuracy.Units = "images"

    @field_validator("shots", "l2")
    @classmethod
    def _positive(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not value or min(value) <= 0:
            raise ValueError("give at least one value, above zero")
        return value


class FewShot(Task):
    """Trains on drawn training images, chooses on all validation images, is tested once per draw."""

    def run(self, context: TaskContext) -> Outcome:
        settings = context.checked(FewShotSettings)
        train, val, test = read_splits(context, settings)
        initial = initial_of(context, settings, train.classes)
        frozen = FrozenFeatures(
            context, train, settings.encode_batch_size, settings.workers, (settings.feature,)
        )
        features = {
            name: frozen.of(images, name, settings.feature).tensor(context.device, torch.float64)
            for name, images in (("train", train), ("val", val), ("test", test))
        }
        prior = LinearClassifier(initial.weight.T, initial.bias) if initial else None
        place = {path: number for number, path in enumerate(train.paths)}
        metrics: dict[str, Metric] = {}
        details: dict[str, object] = {}
        columns: dict[str, object] = {"path": test.paths, "label": test.labels}
        for done, number in enumerate(settings.shots):
            context.report("few-shot", done, len(settings.shots))
            parts = [shots(train, number, draw) for draw in range(settings.draws)]
            drawn = [[place[path] for path in part.paths] for part in parts]
            answers = [_answers(features, train.labels, rows, settings.l2, prior) for rows in drawn]
            right = {
                l2: fmean(float((found[l2][0] == val.labels).mean()) for found in answers)
                for l2 in settings.l2
            }
            best = max(settings.l2, key=lambda l2: right[l2])  # of equals the first
            hits = np.array([found[best][1] == test.labels for found in answers])
            # over test images for these draws; how far draws differ is another thing, and in the details
            metrics[f"top1_{number}_shots"] = accuracy.of_shares(hits.mean(0), test.labels, settings.units)
            each = [100 * float(hit.mean()) for hit in hits]
            details[f"{number} shots"] = {
                "l2": best,
                "top1_of_draws": each,
                "spread": stdev(each) if len(each) > 1 else None,
                "fewest_of_a_class": int(np.bincount(parts[0].labels).min()),
            }
            columns[f"correct_{number}"] = hits.mean(0)
        import pandas

        return Outcome(
            primary=f"top1_{max(settings.shots)}_shots",
            also=[f"top1_{number}_shots" for number in sorted(settings.shots)[:-1]],
            metrics=metrics,
            per_image=pandas.DataFrame(columns),
            details={
                **details,
                "draws": settings.draws,
                "images": {"train": len(train), "val": len(val), "test": len(test)},
                "classes": len(train.classes),
                "feature": settings.feature,
                **({"transfer_init": initial.report} if initial else {}),
            },
            notes=_notes(settings, np.bincount(train.labels, minlength=len(train.classes))),
            images=len(train) + len(val) + len(test),
        )


def _answers(
    features: dict[str, torch.Tensor],
    labels: np.ndarray,
    rows: list[int],
    strengths: Sequence[float],
    prior: LinearClassifier | None,
) -> dict[float, tuple[np.ndarray, np.ndarray]]:
    """The classes that classifiers trained on some images give to those of validation and test.

    One path leads through all strengths: the weaker ones are near the stronger ones' solutions.
    """
    some = features["train"][rows]
    scale = Standardiser(some)
    known = Rows(scale(some), torch.as_tensor(labels[rows]).to(some.device), int(labels.max()) + 1)
    path = Path(known, prior and scale.of(prior))
    judged = [scale(features[name]) for name in ("val", "test")]
    found = {}
    for l2 in sorted(strengths, reverse=True):
        classifier = path.solve(l2, GOOD_ENOUGH)
        found[l2] = tuple(classifier.logits(images).argmax(1).cpu().numpy() for images in judged)
    return found


def _notes(settings: FewShotSettings, counts: np.ndarray) -> list[str]:
    lacking = [number for number in settings.shots if counts.min() < number]
    if not lacking:
        return []
    return [
        f"Some classes have {counts.min()} training images only: at {lacking[0]} shots and more they give "
        "all they have, in every draw the same."
    ]
