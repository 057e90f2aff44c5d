"""Checkpoints that a pre-training keeps on its way, to see what was learnt by when."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from common.errors import UserError
from common.training import group
from common.training.hooks import CostHook
from pretraining import folder
from pretraining.recipe import Recipe


class KeepHook(Hook):
    """Keeps the averaged weights at the sample counts a recipe names; it is no part of the cost.

    The first of the processes that train together writes, the others wait for it.

    Args:
        recipe: names the counts.
        fingerprint: of the run.
        training: its ``training/``, where checkpoints stand until the result is published.
        cost: the hook that holds the clock.
        save: writes a checkpoint of the runner's averaged weights into a folder, given how many samples they
            have seen.

    Raises:
        UserError: the run goes on from beyond a checkpoint that was not kept.
    """

    priority = "LOW"  # after averages, before the checkpoint that a killed run goes on from

    def __init__(
        self,
        recipe: Recipe,
        fingerprint: str,
        training: Path,
        cost: CostHook,
        save: Callable[[Path, Runner, int], None],
    ) -> None:
        self.recipe = recipe
        self.fingerprint = fingerprint
        self.training = training
        self.cost = cost
        self.save = save

    def before_train(self, runner: Runner) -> None:
        lacking = [
            samples
            for step, samples in self.recipe.kept_steps.items()
            if step <= runner.iter
            and not folder.is_checkpoint(folder.kept_folder(self.training, samples), self.fingerprint)
        ]
        if lacking := group.gather(lacking)[0]:  # what the first has to say: it has written them
            raise UserError(
                f"{self.training} goes on at {runner.iter * self.recipe.batch_size:,} samples, and no "
                f"checkpoint was kept at {lacking[0]:,}: remove it to start over, or leave {lacking[0]} out "
                "of keep"
            )

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        step = runner.iter + 1
        if (samples := self.recipe.kept_steps.get(step)) is None:
            return
        with self.cost.uncounted():
            if group.is_first():
                with folder.keeping(self.training, samples) as place:
                    self.save(place, runner, step * self.recipe.batch_size)
            group.wait()
