"""The linear probe as papers train it: some epochs at a given learning rate, nothing chosen."""

from __future__ import annotations

import numpy as np
import torch
from pydantic import Field
from torch import nn

from backbones.vit import HEAD_STD
from benchmark.features.frozen import EncodingSettings, Feature, FrozenFeatures
from benchmark.heads import trained
from benchmark.heads.penalty_path import LinearClassifier
from benchmark.metrics import accuracy, calibration
from benchmark.tasks.base import Outcome, Task, TaskContext
from benchmark.tasks.initial import InitSettings, initial_of
from benchmark.tasks.splits import SplitSettings, read_splits


class TrainedSettings(SplitSettings, InitSettings, EncodingSettings):
    """What a task config may say under ``task``; the defaults are those of arXiv 2404.15653.

    Attributes:
        feature: kind of frozen feature.
        epochs, batch_size: of training.
        lr, min_lr: at the first and the last step, a cosine between them.
        weight_decay: of AdamW.
        units: as for the linear probe.
    """

    feature: Feature = "class_token"
    epochs: int = Field(30, ge=1)
    batch_size: int = Field(256, ge=1)
    lr: float = Field(3e-5, gt=0)
    min_lr: float = Field(1e-6, ge=0)
    weight_decay: float = Field(0.0, ge=0)
    units: accuracy.Units = "images"


class TrainedProbe(Task):
    """Trains on the training split and tests once; validation images only fit the temperature."""

    def run(self, context: TaskContext) -> Outcome:
        settings = context.checked(TrainedSettings)
        train, val, test = read_splits(context, settings)
        initial = initial_of(context, settings, train.classes)
        frozen = FrozenFeatures(
            context, train, settings.encode_batch_size, settings.workers, (settings.feature,)
        )
        known = frozen.of(train, "train", settings.feature)
        if initial is None:
            weight = torch.empty(known.width, len(train.classes))
            nn.init.trunc_normal_(weight, std=HEAD_STD, generator=torch.Generator().manual_seed(context.seed))
            start = LinearClassifier(weight, torch.zeros(len(train.classes)))
        else:
            start = LinearClassifier(initial.weight.T, initial.bias)
        found = trained.train(
            known.shards,
            torch.as_tensor(train.labels),
            start,
            settings.epochs,
            settings.batch_size,
            settings.lr,
            settings.min_lr,
            settings.weight_decay,
            context.seed,
            lambda done, total: context.report("training", done, total),
            context.device,
        )
        logits = {
            name: found.logits(frozen.of(images, name, settings.feature).tensor()).double().cpu().numpy()
            for name, images in (("val", val), ("test", test))
        }
        temperature = calibration.fit_temperature(val.labels, logits["val"])
        probabilities = np.exp(calibration.log_softmax(logits["test"]))
        return Outcome(
            primary="top1",
            metrics={
                **accuracy.measure(test.labels, logits["test"], settings.units),
                **calibration.measure(test.labels, logits["test"], temperature),
            },
            per_image=accuracy.per_image(test.paths, test.labels, probabilities),
            details={
                "steps": found.steps,
                "images": {"train": len(train), "val": len(val), "test": len(test)},
                "classes": len(train.classes),
                "feature": settings.feature,
                "image_size": frozen.preprocessing.size,
                "temperature": temperature,
                **({"transfer_init": initial.report} if initial else {}),
            },
            images=len(train) + len(val) + len(test),
        )
