"""One cell trained and tested by MMEngine's Runner: what Mask R-CNN and DeepLabv3 have in common."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from pydantic import Field
from torch import nn

import backbones.openmmlab  # noqa: F401  registers backbone, neck and operators
from backbones.precision import Bf16OptimWrapper
from benchmark.tasks.base import TaskContext
from common.errors import UserError
from common.files import replacing
from common.progress import Report
from common.settings import Settings
from common.training import accumulation, group
from common.training.checkpoints import forget_checkpoints
from common.training.hooks import CostHook, ProgressHook, WaitHook
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


class JudgedSettings(Settings):
    """What a dense task may say of the images that judge it; the config is read accordingly.

    Attributes:
        test: ``val`` for the validation images of the config, so that a choice sees no test image.
    """

    test: Literal["test", "val"] = "test"


def runner_config(context: TaskContext, settings: RunnerSettings) -> Config:
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
    if cfg.optim_wrapper.get("type") in {Bf16OptimWrapper, Bf16OptimWrapper.__name__}:
        # It decides about the precision itself, when the processes that train together have met.
        cfg.optim_wrapper.width = context.embed_dim
    for dataset in datasets(cfg):
        dataset.data_root = str(context.data)
    if not settings.validation:
        cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    cfg.work_dir = str(context.out / "training")
    cfg.randomness = {"seed": context.seed, **cfg.get("randomness", {})}
    cfg.resume = True
    cfg.load_from = None
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


def train(cfg: Config, report: Report, start: Callable[[nn.Module], None] | None = None) -> ResumableRunner:
    """Train, from the last checkpoint if an earlier attempt left one, and return the runner, ready to test.

    Args:
        cfg: see `runner_config`.
        report: told how far it is.
        start: is given the model before the first step of a training that does not resume.

    Raises:
        FloatingPointError: a loss is not finite; the message says at which iteration. The checkpoints are
            removed, so that nobody resumes from them.
    """
    runner = ResumableRunner.from_cfg(cfg)
    cost = CostHook()
    for hook in (cost, WaitHook(cost), ProgressHook(report, cost, cfg.batch_per_step)):
        runner.register_hook(hook)
    if start is not None:
        runner.register_hook(StartHook(start))
    try:
        runner.train()
    except FloatingPointError:
        if group.is_first():
            forget_checkpoints(Path(cfg.work_dir))
        raise
    return runner


class StartHook(Hook):
    """Does something to the model once, before the first step of a training that does not resume.

    Args:
        act: is given the model, as it was built.
    """

    def __init__(self, act: Callable[[nn.Module], None]) -> None:
        self._act = act

    def before_train(self, runner: Runner) -> None:
        if runner.iter == 0:
            self._act(runner.model.module if is_model_wrapper(runner.model) else runner.model)


def scale(runner: ResumableRunner) -> dict[str, int | str | None]:
    """How large the training was, for the record's details.

    Returns:
        ``iterations``: steps of the optimizer; ``batch_size``: images per step, over all processes;
        ``processes`` that trained together; ``precision`` of the steps: ``float32`` or ``bf16``, None where
        an optimizer wrapper that is not ours decided.
    """
    wrapper = runner.optim_wrapper
    plain = "float32" if type(wrapper) is OptimWrapper else None
    return {
        "iterations": runner.max_iters,
        "batch_size": runner.cfg.batch_per_step,
        "processes": runner.world_size,
        "precision": getattr(wrapper, "precision", plain),
    }


def images(runner: ResumableRunner) -> int:
    """How many images it was trained and tested on, repeats counted."""
    return runner.max_iters * runner.cfg.batch_per_step + len(runner.test_dataloader.dataset)


def finish(runner: ResumableRunner, out: Path, keep_weights: bool) -> None:
    """Remove the checkpoints of a tested model; keep ``model.pth`` if asked to.

    It holds the weights alone, averaged ones where the config averages.
    """
    if keep_weights:
        with replacing(out / "model.pth") as temporary:
            torch.save({"state_dict": runner.trained_model.state_dict()}, temporary)
    forget_checkpoints(Path(runner.work_dir))


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
