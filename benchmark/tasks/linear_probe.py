"""Linear probe: a linear classifier on frozen features, its penalty chosen on validation images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from pydantic import field_validator, model_validator

from benchmark.data.images import ImageSplit
from benchmark.features.cache import FeatureTable
from benchmark.features.frozen import EncodingSettings, Feature, FrozenFeatures
from benchmark.heads import logistic
from benchmark.heads.penalty_path import LinearClassifier
from benchmark.metrics import accuracy, calibration
from benchmark.tasks.base import Outcome, Task, TaskContext
from benchmark.tasks.further import FurtherSettings, measure
from benchmark.tasks.initial import Initial, InitSettings, initial_of
from benchmark.tasks.splits import SplitSettings, read_splits


class ProbeSettings(SplitSettings, InitSettings, FurtherSettings, EncodingSettings):
    """What a task config may say under ``task``.

    With ``init="transfer"`` the penalty is on the distance from the copied rows instead of from zero: a
    converged solution does not depend on where it started, but on where it is drawn to. As the penalty grows
    the probe becomes the copied classifier; as it falls, what any probe becomes. For class tokens alone.

    Attributes:
        feature: ``class_token``, ``patch_mean`` (mean of the patch tokens), ``both`` side by side,
            ``last_blocks`` (class tokens of the last four blocks), or a list of these, of which the best on
            the validation images is taken.
        l2: (smallest, largest, count) of the strengths tried, evenly spaced in their logarithm. The loss is
            mean cross-entropy + l2 / 2 · ||weight||² on features standardised by the training images.
        units: what was sampled independently, which the intervals are over: ``images``, or ``classes`` where
            all images of a class share one drawing.
    """

    feature: tuple[Feature, ...] = ("class_token",)
    l2: tuple[float, float, int] = (1e-8, 1e1, 45)
    units: accuracy.Units = "images"

    @field_validator("feature", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _grid(self) -> ProbeSettings:
        low, high, count = self.l2
        if not (0 < low <= high and count >= 1):
            raise ValueError(f"l2={self.l2}: give (smallest > 0, largest, count)")
        if self.init == "transfer" and self.feature != ("class_token",):
            raise ValueError("init='transfer' is for feature='class_token', which the copied rows are of")
        if not self.feature:
            raise ValueError("feature: name at least one")
        return self

    def strengths(self) -> list[float]:
        """The grid, strongest first."""
        low, high, count = self.l2
        return [float(f"{value:.6g}") for value in np.geomspace(high, low, count)]


@dataclass(frozen=True)
class Chosen:
    """The probe that did best on the validation images: of one kind of feature."""

    feature: Feature
    probe: logistic.Choice
    tables: dict[str, FeatureTable]
    """Features of the splits that were looked at so far."""


class LinearProbe(Task):
    """Trains on the training split, chooses on validation, looks at test once, at the end.

    What was trained on the training split is what is tested: nothing is fitted again to validation images.
    """

    def run(self, context: TaskContext) -> Outcome:
        settings = context.checked(ProbeSettings)
        train, val, test = read_splits(context, settings)
        initial = initial_of(context, settings, train.classes)
        kinds = settings.feature
        frozen = FrozenFeatures(context, train, settings.encode_batch_size, settings.workers, kinds)
        tried = [
            choose(context, settings, frozen, (train, val), feature, initial) for feature in settings.feature
        ]
        # of equals the first
        best = max(tried, key=lambda chosen: (chosen.probe.correct, -chosen.probe.loss))

        def logits_of(images: ImageSplit, stage: str) -> np.ndarray:
            features = frozen.of(images, stage, best.feature).tensor()
            return best.probe.logits(features).double().cpu().numpy()

        logits = logits_of(test, "test")
        further = measure(context, settings, test, logits, settings.units, logits_of)
        temperature = calibration.fit_temperature(
            val.labels, best.probe.logits(best.tables["val"].tensor()).double().cpu().numpy()
        )
        several = len(settings.feature) > 1
        return Outcome(
            primary="top1",
            metrics={
                **accuracy.measure(test.labels, logits, settings.units),
                **calibration.measure(test.labels, logits, temperature),
                **further.metrics,
            },
            per_image=accuracy.per_image(test.paths, test.labels, np.exp(calibration.log_softmax(logits))),
            chosen={"l2": best.probe.l2, **({"feature": best.feature} if several else {})},
            details={
                "sweep": [
                    {**({"feature": chosen.feature} if several else {}), **entry}
                    for chosen in tried
                    for entry in chosen.probe.tried
                ],
                "images": {"train": len(train), "val": len(val), "test": len(test)},
                "classes": len(train.classes),
                "feature": best.feature,
                "feature_width": best.tables["train"].width,
                "image_size": frozen.preprocessing.size,
                "temperature": temperature,
                **({"further": further.details} if further.details else {}),
                **({"transfer_init": initial.report} if initial else {}),
            },
            notes=[note for chosen in tried for note in _notes(chosen.probe)],
            also=further.headlines,
            images=len(train) + len(val) + len(test) + further.images,
        )


def choose(
    context: TaskContext,
    settings: ProbeSettings,
    frozen: FrozenFeatures,
    splits: tuple[ImageSplit, ImageSplit],
    feature: Feature,
    initial: Initial | None,
) -> Chosen:
    """The probe of one kind of feature that does best on the validation images.

    Args:
        splits: training and validation images.
        initial: the classifier that the penalty draws to; None: to zero.
    """
    tables = {
        name: frozen.of(images, name, feature) for name, images in zip(("train", "val"), splits, strict=True)
    }
    probe = logistic.choose(
        tables["train"].for_solver(context.device),
        torch.as_tensor(splits[0].labels),
        torch.cat(tables["val"].for_solver(context.device)),
        torch.as_tensor(splits[1].labels),
        settings.strengths(),
        context.report,
        context.device,
        LinearClassifier(initial.weight.T, initial.bias) if initial else None,
    )
    return Chosen(feature, probe, tables)


def _notes(chosen: logistic.Choice) -> list[str]:
    notes, tried = [], chosen.tried
    if len(tried) > 1 and chosen.l2 in {tried[0]["l2"], tried[-1]["l2"]}:
        notes.append(f"The best penalty, l2={chosen.l2:g}, is at the edge of the grid: widen task.l2.")
    if unsolved := [f"{entry['l2']:g}" for entry in tried if not entry["converged"]]:
        notes.append(f"The solver stopped before convergence at l2={', '.join(unsolved)}.")
    return notes
