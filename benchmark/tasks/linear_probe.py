"""Linear probe: a linear classifier on frozen features, its penalty chosen on validation images."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from backbones.adapt import calibrate_norms, norms_without_statistics
from backbones.vit import ViT
from benchmark.data.image_folder import ImageFolder, batches, hold_out, read_split
from benchmark.heads.logistic import LinearClassifier, fit
from benchmark.records.schema import Metric
from benchmark.statistics.coverage import coverage
from benchmark.statistics.interval import Interval
from benchmark.statistics.proportions import cluster_interval, wilson_interval
from benchmark.tasks.base import Outcome, Report, Task, TaskContext
from common.errors import UserError
from common.names import suggest

FEATURES = ("class_token", "patch_mean", "both")
UNITS = ("images", "classes")
SMALL = 50_000_000
"""Features (images x width) up to which the CPU solves in float64."""
CALIBRATION_IMAGES, CALIBRATION_BATCH = 4096, 128
"""How many training images BatchNorm's statistics are taken from, and how many at a time."""


@dataclass(frozen=True)
class Settings:
    """What a task config may say under ``task``.

    Attributes:
        feature: ``class_token``, ``patch_mean`` (mean of the patch tokens) or ``both`` side by side.
        train, val, test: names of the splits. With ``val=None`` a share of the training split, drawn by the
            seed, takes its place and is not trained on.
        hold_out: that share.
        l2: (smallest, largest, count) of the strengths tried, evenly spaced in their logarithm. The loss is
            mean cross-entropy + l2 / 2 · ||weight||² on features standardised by the training images.
        units: what was sampled independently, which the intervals are over: ``images``, or ``classes`` where
            all images of a class share one drawing.
        encode_batch_size, workers: of reading and encoding; no influence on the result beyond rounding.
    """

    feature: str = "class_token"
    train: str = "train"
    val: str | None = "val"
    test: str = "test"
    hold_out: float = 0.1
    l2: tuple[float, float, int] = (1e-6, 1e1, 15)
    units: str = "images"
    encode_batch_size: int = 256
    workers: int = 2

    @classmethod
    def from_config(cls, values: dict[str, Any]) -> Settings:
        """Check what the config says.

        Raises:
            UserError: an unknown entry or an impossible value.
        """
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                raise UserError(f"linear_probe has no setting {name!r}: {suggest(name, known)}")
        settings = cls(**values)
        for name, choices in (("feature", FEATURES), ("units", UNITS)):
            if (value := getattr(settings, name)) not in choices:
                raise UserError(f"linear_probe: {name}={value!r}: {suggest(value, choices)}")
        low, high, count = settings.l2
        if not (0 < low <= high and count >= 1):
            raise UserError(f"linear_probe: l2={settings.l2}: give (smallest > 0, largest, count)")
        if settings.val is None and not 0 < settings.hold_out < 1:
            raise UserError(f"linear_probe: hold_out={settings.hold_out}: give a share between 0 and 1")
        if settings.test in (settings.train, settings.val):
            raise UserError(f"linear_probe: split {settings.test!r} cannot both choose and judge")
        return settings

    def strengths(self) -> list[float]:
        """The grid, strongest first."""
        low, high, count = self.l2
        return [float(f"{value:.6g}") for value in np.geomspace(high, low, count)]


class LinearProbe(Task):
    """Trains on the training split, chooses the penalty on validation, looks at test once, at the end."""

    def run(self, context: TaskContext) -> Outcome:
        settings = Settings.from_config(context.settings)
        train, val, test = read_splits(context, settings)
        vit = context.load_backbone().to(context.device)
        preprocessing = vit.preprocessing
        calibrate(vit, train, settings.workers, context.device)

        def encode(images: ImageFolder, name: str) -> Tensor:
            return extract(vit, images, settings, context.device, f"features of {name}", context.report)

        train_features, val_features = encode(train, "train"), encode(val, "val")
        scale = Standardiser(train_features)
        chosen, sweep = choose(
            scale(train_features), train.labels, scale(val_features), val.labels, settings, context.report
        )
        classifier = sweep.pop(chosen)
        test_features = scale(encode(test, "test"))
        probabilities = classifier.probabilities(test_features).cpu().numpy()
        per_image = _per_image(test, probabilities)
        notes = []
        tried = sweep.pop("tried")
        edges = {tried[0]["l2"], tried[-1]["l2"]}
        if len(tried) > 1 and chosen in edges:
            notes.append(f"The best penalty, l2={chosen:g}, is at the edge of the grid: widen task.l2.")
        if unsolved := [entry["l2"] for entry in tried if not entry["converged"]]:
            notes.append(
                f"The solver stopped before convergence at l2={', '.join(f'{v:g}' for v in unsolved)}."
            )
        return Outcome(
            primary="top1",
            metrics=_metrics(test, probabilities, settings.units),
            per_image=per_image,
            chosen={"l2": chosen},
            details={
                "sweep": tried,
                "images": {"train": len(train), "val": len(val), "test": len(test)},
                "classes": len(train.classes),
                "feature": settings.feature,
                "feature_width": train_features.shape[1],
                "image_size": preprocessing.size,
            },
            notes=notes,
        )


def read_splits(context: TaskContext, settings: Settings) -> tuple[ImageFolder, ImageFolder, ImageFolder]:
    """Training, validation and test images."""
    train = read_split(context.data, settings.train)
    test = read_split(context.data, settings.test, train.classes)
    if settings.val is not None:
        return train, read_split(context.data, settings.val, train.classes), test
    train, val = hold_out(train, settings.hold_out, context.seed)
    return train, val, test


class Standardiser:
    """Shifts and scales features to mean 0 and variance 1 over the training images."""

    def __init__(self, features: Tensor) -> None:
        self.mean = features.mean(0)
        deviation = features.std(0, correction=0)
        # A feature that is constant but for rounding carries nothing; dividing by ~0 would make noise of it.
        floor = 1e-6 * deviation.max().clamp(min=1e-30)
        self.scale = torch.where(deviation > floor, deviation, torch.ones_like(deviation))

    def __call__(self, features: Tensor) -> Tensor:
        return (features - self.mean) / self.scale


def calibrate(vit: ViT, train: ImageFolder, workers: int, device: str) -> None:
    """Give BatchNorms that have no statistics (random weights) those of training images, evenly chosen.

    Raises:
        UserError: an image cannot be read.
    """
    if norms_without_statistics(vit):
        some = np.linspace(0, len(train) - 1, min(len(train), CALIBRATION_IMAGES)).round().astype(int)
        # Images come class by class, and a batch of one class would hide how classes differ. The size of the
        # batches has a say, too, so that it is nobody's to choose.
        some = np.random.default_rng(0).permutation(some)
        read = batches(train.subset(some), vit.preprocessing, CALIBRATION_BATCH, workers)
        calibrate_norms(vit, (pixels.to(device) for pixels, _ in read))


@torch.inference_mode()
def extract(
    vit: torch.nn.Module,
    images: ImageFolder,
    settings: Settings,
    device: str,
    stage: str,
    report: Report,
) -> Tensor:
    """Frozen features [N, D] (2 D for ``both``) on `device`: float64 where the CPU solves a small problem.

    Raises:
        UserError: an image cannot be read.
        FloatingPointError: a feature is not finite.
    """
    vit.eval()
    features, done = [], 0
    for pixels, indices in batches(images, vit.preprocessing, settings.encode_batch_size, settings.workers):
        tokens = vit(pixels.to(device, non_blocking=True))
        parts = {"class_token": tokens.class_token, "patch_mean": tokens.patches.mean((2, 3))}
        used = parts.values() if settings.feature == "both" else [parts[settings.feature]]
        batch = torch.cat([part.float() for part in used], dim=1)
        finite = torch.isfinite(batch).all(1)
        if not finite.all():
            path = images.paths[indices[(~finite).nonzero()[0, 0].cpu()]]
            raise FloatingPointError(f"the backbone's features of {path} are not finite")
        features.append(batch)
        done += len(batch)
        report(stage, done, len(images))
    stacked = torch.cat(features)
    return stacked.double() if device == "cpu" and stacked.numel() <= SMALL else stacked


def choose(
    train: Tensor,
    train_labels: np.ndarray,
    val: Tensor,
    val_labels: np.ndarray,
    settings: Settings,
    report: Report,
) -> tuple[float, dict[Any, Any]]:
    """Fit every strength, strongest first, each from the last solution; choose by validation accuracy.

    Ties go to the lower validation loss, then to the stronger penalty. Test images are no argument.

    Returns:
        The chosen l2, and a dict with the classifier under that key and the list of what was ``tried``.
    """
    device = train.device
    labels = torch.as_tensor(train_labels, device=device)
    truth = torch.as_tensor(val_labels, device=device)
    classes = int(labels.max()) + 1
    train, val = train.clone(), val.clone()  # out of inference mode: L-BFGS updates in place
    best: tuple[tuple[int, float], float, LinearClassifier] | None = None
    previous, tried = None, []
    strengths = settings.strengths()
    for step, l2 in enumerate(strengths):
        report("penalties", step, len(strengths))
        previous = fit(train, labels, classes, l2, start=previous)
        probabilities = previous.probabilities(val)
        correct = int((probabilities.argmax(1) == truth).sum())
        loss = -probabilities.gather(1, truth[:, None]).clamp(min=1e-30).log().mean().item()
        tried.append(
            {
                "l2": l2,
                "val_top1": 100 * correct / len(truth),
                "val_loss": loss,
                "converged": previous.converged,
                "steps": previous.steps,
            }
        )
        merit = (correct, -loss)
        if best is None or merit > best[0]:
            best = (merit, l2, previous)
    return best[1], {best[1]: best[2], "tried": tried}


def _per_image(test: ImageFolder, probabilities: np.ndarray) -> pd.DataFrame:
    prediction = probabilities.argmax(1)
    return pd.DataFrame(
        {
            "path": test.paths,
            "label": test.labels,
            "prediction": prediction,
            "correct": prediction == test.labels,
            "probability": probabilities[np.arange(len(test)), test.labels],
        }
    )


def _metrics(test: ImageFolder, probabilities: np.ndarray, units: str) -> dict[str, Metric]:
    """top1, and top5 of ten classes or more; over classes also what taking images for independent gives."""
    metrics = {}
    for name, hits in _hits(test.labels, probabilities).items():
        over_images = _percent(wilson_interval(int(hits.sum()), len(test)), len(test), "images", "wilson")
        if units == "images":
            metrics[name] = over_images
            continue
        present = len(np.unique(test.labels))
        if present >= 2:
            interval = cluster_interval(hits, test.labels)
            metrics[name] = _percent(interval, present, "classes", "wilson (effective sample)")
        else:
            metrics[name] = Metric(value=over_images.value, n=present)
        metrics[f"{name}_over_images"] = over_images
    return metrics


def _hits(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, np.ndarray]:
    hits = {"top1": probabilities.argmax(1) == labels}
    if probabilities.shape[1] >= 10:
        best = np.argpartition(probabilities, -5, axis=1)[:, -5:]
        hits["top5"] = (best == labels[:, None]).any(1)
    return hits


def _percent(interval: Interval, n: int, units: str, how: str) -> Metric:
    value, low, high = (100 * bound for bound in interval[:3])
    return Metric(
        value=value,
        low=low,
        high=high,
        n=n,
        method=f"{how} over {units}",
        truth=f"population of {units}",
        coverage=coverage(f"accuracy over {units}", n, value),
    )
