"""Fine-tuning of a classifier by MMEngine's Runner: the whole backbone, low-rank updates, or a pooling."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import numpy as np
from mmengine.config import Config

from backbones.openmmlab.classifier import HEAD
from benchmark.data.images import ImageSplit
from benchmark.metrics import accuracy, calibration
from benchmark.tasks import openmmlab_runner, pictures
from benchmark.tasks.base import Outcome, Task, TaskContext
from benchmark.tasks.initial import InitSettings, initial_of, start_rows_of
from benchmark.tasks.splits import TrainingSplits
from common.errors import UserError
from common.machine import world_size
from common.training import group

PARTS = ("train", "val", "test")


class FinetuneSettings(openmmlab_runner.RunnerSettings, TrainingSplits, InitSettings):
    """What a task config may say under ``task``, beside how it is trained, split and started.

    Attributes:
        units: what was sampled independently, as for the linear probe.
    """

    units: accuracy.Units = "images"


class Finetune(Task):
    """Trains a classifier on the training images and tests it once, after its last step.

    Nothing is chosen by validation images; they only fit the temperature that calibration is measured with.
    """

    several: ClassVar[bool] = False
    """Whether an image may show several classes."""
    understood: ClassVar[type[FinetuneSettings]] = FinetuneSettings
    """What its configs may say."""

    def run(self, context: TaskContext) -> Outcome | None:
        settings = context.checked(self.understood)
        cfg = openmmlab_runner.runner_config(context, settings)
        found = fill_in(cfg, context, settings, self.several)
        initial = initial_of(context, settings, found["train"].classes)
        start = initial and partial(start_rows_of, path=HEAD, initial=initial, seed=context.seed)
        files = {part: context.out / f"logits_{part}.npy" for part in ("val", "test")}
        if group.is_first():  # what an attempt left that was killed may be of an earlier epoch
            for file in files.values():
                file.unlink(missing_ok=True)
        group.wait()
        runner = openmmlab_runner.train(cfg, context.report, start)
        # the last epoch's are of this model; a training that had only its test to do has none
        if runner.val_loop is not None and not group.gather(files["val"].is_file())[0]:
            runner.val()
        runner.test()
        if not group.is_first():
            return None
        logits = {part: pictures.read_logits(file) for part, file in files.items() if file.is_file()}
        outcome = self.judge(settings, found, logits)
        openmmlab_runner.finish(runner, context.out, settings.keep_weights)
        for file in files.values():  # test images' are in per_image.parquet
            file.unlink(missing_ok=True)
        outcome.details |= {
            **openmmlab_runner.scale(runner),
            "trained_parameters": sum(
                parameter.numel() for parameter in runner.model.parameters() if parameter.requires_grad
            ),
            "images": {part: len(images) for part, images in found.items()},
            "classes": len(found["train"].classes),
            **({"transfer_init": initial.report} if initial else {}),
        }
        outcome.images = openmmlab_runner.images(runner)
        return outcome

    def judge(
        self, settings: FinetuneSettings, found: dict[str, ImageSplit], logits: dict[str, np.ndarray]
    ) -> Outcome:
        """What the logits [N, K] of test (and validation) images come to."""
        test = logits["test"].astype(np.float64)
        labels = found["test"].labels
        metrics = accuracy.measure(labels, test, settings.units)
        details: dict[str, Any] = {}
        if "val" in logits:
            temperature = calibration.fit_temperature(found["val"].labels, logits["val"].astype(np.float64))
            metrics |= calibration.measure(labels, test, temperature)
            details["temperature"] = temperature
        probabilities = np.exp(calibration.log_softmax(test))
        return Outcome(
            primary="top1",
            metrics=metrics,
            per_image=accuracy.per_image(found["test"].paths, labels, probabilities),
            details=details,
        )


def fill_in(
    cfg: Config, context: TaskContext, settings: FinetuneSettings, several: bool
) -> dict[str, ImageSplit]:
    """Put what the data decide into a Runner's config, and return the images: part -> split.

    Raises:
        UserError: the data cannot be used.
    """
    told = {
        "splits": settings.model_dump_json(include=set(TrainingSplits.model_fields)),
        "seed": context.seed,
        "several": several,
    }
    found = pictures.parts(str(context.data), told["splits"], context.seed, several)
    if not len(found["val"]):
        cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    for part in PARTS:
        loader = cfg[f"{part}_dataloader"]
        if loader is None:
            continue
        loader.dataset.update(told, part=part)
        loader.collate_fn = {"type": "default_collate"}
        if part != "train":
            evaluator = {"type": "Logits", "file": str(context.out / f"logits_{part}.npy"), **group.GATHERED}
            cfg[f"{part}_evaluator"] = evaluator
    cfg.model.num_classes = len(found["train"].classes)
    # A last batch of one image would tell BatchNorm nothing, and mixup wants even ones; but an epoch is one
    # step at least, however few images there are for the recipe's batch.
    whole = len(found["train"]) // world_size() >= cfg.batch_per_step // world_size()
    if not whole and cfg.model.get("mixup"):
        raise UserError(
            f"{context.data}: {len(found['train'])} training images make no batch of {cfg.batch_per_step}: "
            "give a smaller one by --set auto_scale_lr.base_batch_size=N, or leave model.mixup out"
        )
    cfg.train_dataloader.drop_last = whole
    return found
