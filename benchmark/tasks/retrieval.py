"""Image retrieval on frozen features: whether images of a class lie beside each other."""

from __future__ import annotations

import numpy as np
import torch

from benchmark.features.frozen import EncodingSettings, Feature, FrozenFeatures
from benchmark.metrics import accuracy, retrieval
from benchmark.tasks.base import Outcome, Task, TaskContext
from benchmark.tasks.splits import SplitSettings, read_splits
from common.errors import UserError

PLACES = (1, 5)


class RetrievalSettings(SplitSettings, EncodingSettings):
    """What a task config may say under ``task``.

    Attributes:
        feature: kind of frozen feature.
    """

    feature: Feature = "class_token"


class Retrieval(Task):
    """Every test image is asked for the others of its class; nothing is trained and nothing chosen.

    Queries of a class look for each other, so that they are not independent: intervals are over classes.
    """

    def run(self, context: TaskContext) -> Outcome:
        settings = context.checked(RetrievalSettings)
        train, _, test = read_splits(context, settings)
        frozen = FrozenFeatures(
            context, train, settings.encode_batch_size, settings.workers, (settings.feature,)
        )
        features = frozen.of(test, "test", settings.feature).tensor(context.device)
        labels = torch.as_tensor(test.labels, device=features.device)
        precision, hits, nearest = retrieval.average_precisions(features, labels, PLACES)
        asked = ~precision.isnan().cpu().numpy()
        if not asked.any():
            raise UserError(f"{test.root}: every test image is alone in its class: nothing can be retrieved")
        found = {"mAP": precision.double().cpu().numpy()}
        found |= {f"R@{place}": hit.double().cpu().numpy() for place, hit in hits.items()}
        metrics = {
            name: accuracy.of_shares(values[asked], test.labels[asked], "classes")
            for name, values in found.items()
        }
        import pandas

        names = {"mAP": "average_precision", "R@1": "correct"}
        paths = np.array(test.paths)
        alone = int((~asked).sum())
        return Outcome(
            primary="mAP",
            also=["R@1"],
            metrics=metrics,
            per_image=pandas.DataFrame(
                {
                    "path": test.paths,
                    "label": test.labels,
                    **{names[name]: np.where(asked, found[name], np.nan) for name in names},
                    "nearest": list(paths[nearest.cpu().numpy()]),
                }
            ),
            details={
                "images": {"test": len(test), "alone": alone},
                "classes": len(test.classes),
                "feature": settings.feature,
                "image_size": frozen.preprocessing.size,
            },
            notes=[f"{alone} test images are alone in their class and were not asked."] if alone else [],
            images=len(test),
        )
