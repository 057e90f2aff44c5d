"""One cell trained and tested by MMEngine's Runner: what Mask R-CNN and DeepLabv3 have in common."""

from __future__ import annotations

import copy
import math
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from pydantic import Field

import backbones.openmmlab  # noqa: F401  registers backbone, neck and operators
from benchmark.tasks.base import Report, TaskContext
from common.errors import UserError
from common.files import replacing
from common.settings import Settings
from common.training import accumulation
from common.training.runner import ResumableRunner

_LOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")


class RunnerSettings(Settings):
    """What a task config may say under ``task`` where MMEngine's Runner trains.

    Attributes:
        keep_weights: keep the trained model as model.pth.
        validation: called ``validate``: look at the validation split where the config says when.
    """

    keep_weights: bool = True
    validation: bool = Field(True, alias="validate")  # "validate" is a method of pydantic's


def prepare(context: TaskContext, settings: RunnerSettings) -> Config:
    """A Runner's config for this cell: backbone, data, seed, folder and resumption are filled in.

    Raises:
        UserError: a config that is none of MMEngine's, or a batch that these processes cannot make.
    """
    for key in ("model", *_LOADERS, "train_cfg", "optim_wrapper", "test_evaluator"):
        if key not in context.cfg:
            raise UserError(f"the task config has no entry {key}: see task_configs/{context.cfg.task.type}")
    cfg = Config(copy.deepcopy(context.cfg._cfg_dict.to_dict()))
    cfg.pop("task")
    cfg.model.backbone.weights = context.backbone
    cfg.model.backbone.seed = context.seed
    for dataset in datasets(cfg):
        dataset.data_root = str(context.data)
    if not settings.validation:
        cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    cfg.work_dir = str(context.out / "training")
    cfg.randomness = {"seed": context.seed, **cfg.get("randomness", {})}
    cfg.resume = True
    cfg.load_from = None
    cfg.launcher = "pytorch" if "LOCAL_RANK" in os.environ else "none"
    cfg.batch_per_step = accumulation.accumulate(cfg)
    return cfg


def datasets(cfg: Config) -> Iterator[Any]:
    """The configs of the innermost data sets: training, validation, test."""
    for name in _LOADERS:
        if cfg[name] is None:
            continue
        dataset = cfg[name].dataset
        while "dataset" in dataset:  # RepeatDataset and the like
            dataset = dataset.dataset
        yield dataset


def train(cfg: Config, report: Report) -> Runner:
    """Train, from the last checkpoint if an earlier attempt left one, and return the runner, ready to test.

    Raises:
        FloatingPointError: a loss is not finite; the message says at which iteration. The checkpoints are
            removed, so that nobody resumes from them.
    """
    runner = ResumableRunner.from_cfg(cfg)
    runner.register_hook(ProgressHook(report), priority="VERY_HIGH")
    try:
        runner.train()
    except FloatingPointError:
        forget_checkpoints(Path(cfg.work_dir))
        raise
    return runner


def scale(runner: Runner) -> dict[str, int]:
    """How large the training was, for the record's details.

    Returns:
        ``iterations``: steps of the optimizer; ``batch_size``: images per step, over all processes;
        ``processes`` that trained together.
    """
    return {
        "iterations": runner.max_iters,
        "batch_size": runner.cfg.batch_per_step,
        "processes": runner.world_size,
    }


def finish(runner: Runner, out: Path, keep_weights: bool) -> None:
    """Remove the checkpoints of a tested model; keep ``model.pth`` (weights alone, averaged ones where the
    config
    averages) if asked to."""
    import torch

    if keep_weights:
        average = next((hook.ema_model.module for hook in runner.hooks if hasattr(hook, "ema_model")), None)
        model = average if average is not None else getattr(runner.model, "module", runner.model)
        with replacing(out / "model.pth") as temporary:
            torch.save({"state_dict": model.state_dict()}, temporary)
    forget_checkpoints(Path(runner.work_dir))


def forget_checkpoints(work_dir: Path) -> None:
    """Remove the checkpoints of a training, the pointer to the last one first."""
    (work_dir / "last_checkpoint").unlink(missing_ok=True)
    for path in work_dir.glob("*.pth"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def set_everywhere(node: Any, key: str, value: Any, where: Callable[[Any], bool] = lambda node: True) -> None:
    """Set `key` in every dict below `node` that has it (and satisfies `where`)."""
    if isinstance(node, dict):
        if key in node and where(node):
            node[key] = value
        for child in node.values():
            set_everywhere(child, key, value, where)
    elif isinstance(node, list | tuple):
        for child in node:
            set_everywhere(child, key, value, where)


class ProgressHook(Hook):
    """Tells the parent process where the training is, and ends it as soon as a loss is not finite."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        loss = outputs["loss"].item()
        iteration = runner.iter + 1
        if not math.isfinite(loss):
            parts = ", ".join(f"{name} {value.item():g}" for name, value in outputs.items() if "loss" in name)
            raise FloatingPointError(f"the loss is {loss} at iteration {iteration} ({parts})")
        self.report("training", iteration, runner.max_iters, loss)

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self.report("validation", batch_idx + 1, len(runner.val_dataloader))

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self.report("test", batch_idx + 1, len(runner.test_dataloader))
