"""k-nearest neighbours on frozen features: what they are like without any training."""

from __future__ import annotations

import torch
from pydantic import Field, field_validator

from benchmark.data.images import ImageSplit
from benchmark.features.frozen import EncodingSettings, Feature, FrozenFeatures
from benchmark.heads import knn
from benchmark.metrics import accuracy
from benchmark.records.schema import Metric
from benchmark.tasks.base import Outcome, Task, TaskContext
from benchmark.tasks.splits import SplitSettings, read_splits


class NeighbourSettings(SplitSettings, EncodingSettings):
    """What a task config may say under ``task``.

    Attributes:
        feature: kind of frozen feature.
        k: numbers of neighbours; the one that does best on the validation images is the primary metric.
        temperature: of the votes (`heads.knn.vote`); None: one neighbour, one vote.
        units: as for the linear probe.
    """

    feature: Feature = "class_token"
    k: tuple[int, ...] = (5, 20)
    temperature: float | None = Field(0.07, gt=0)
    units: accuracy.Units = "images"

    @field_validator("k")
    @classmethod
    def _numbers(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or min(value) < 1:
            raise ValueError("give at least one number of neighbours, from 1")
        return value


class NearestNeighbours(Task):
    """Neighbours are training images; validation images choose k; test images are looked at once."""

    def run(self, context: TaskContext) -> Outcome:
        settings = context.checked(NeighbourSettings)
        train, val, test = read_splits(context, settings)
        frozen = FrozenFeatures(
            context, train, settings.encode_batch_size, settings.workers, (settings.feature,)
        )
        labels, classes = torch.as_tensor(train.labels), len(train.classes)
        known = frozen.of(train, "train", settings.feature).shards
        most = min(max(settings.k), len(train))

        def shares(images: ImageSplit, name: str) -> dict[int, torch.Tensor]:
            queries = frozen.of(images, name, settings.feature).tensor()
            similarity, index = knn.neighbours(known, queries, most, context.device)
            return {
                k: knn.vote(similarity[:, :k], labels[index[:, :k]], classes, settings.temperature)
                for k in settings.k
            }

        right = {
            k: int((votes.argmax(1) == torch.as_tensor(val.labels)).sum())
            for k, votes in shares(val, "val").items()
        }
        best = max(settings.k, key=lambda k: right[k])  # of equals the first
        found = {k: votes.numpy() for k, votes in shares(test, "test").items()}
        metrics: dict[str, Metric] = {}
        for k, votes in found.items():
            measured = accuracy.measure(test.labels, votes, settings.units)
            metrics |= {f"{name}_k{k}": metric for name, metric in measured.items()}
        return Outcome(
            primary=f"top1_k{best}",
            metrics=metrics,
            per_image=accuracy.per_image(test.paths, test.labels, found[best]).assign(
                **{f"correct_k{k}": votes.argmax(1) == test.labels for k, votes in found.items()}
            ),
            chosen={"k": best},
            details={
                "val_top1": {str(k): 100 * count / len(val) for k, count in right.items()},
                "images": {"train": len(train), "val": len(val), "test": len(test)},
                "classes": classes,
                "feature": settings.feature,
                "image_size": frozen.preprocessing.size,
            },
            notes=[
                f"k={k}: there are {len(train)} training images only" for k in settings.k if k > len(train)
            ],
            images=len(train) + len(val) + len(test),
        )
