"""A recipe's batch on fewer processes than it was written for: gradients of several batches make one step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch import nn
from torch.utils.data import DataLoader

from common.errors import UserError
from common.machine import world_size

_LOOPS = {"EpochBasedTrainLoop": "AccumulatingEpochLoop", "IterBasedTrainLoop": "AccumulatingIterLoop"}
_ELSE = "or scale the learning rate by --set auto_scale_lr.enable=True"


def accumulate(cfg: Config) -> int:
    """Let a step see the recipe's batch, ``auto_scale_lr.base_batch_size``, however many processes there are.

    Where the config does not name it, it is the batch that one process would have. An iteration of the
    training stays what it is in the recipe: one step of the optimizer, its learning rate, its warm-up and its
    moving average; it only reads more batches, or smaller ones. Nothing is done where the config asks for a
    scaled learning rate instead (``auto_scale_lr.enable``), or accumulates by itself.

    Args:
        cfg: a Runner's config; its training loop is replaced where several batches make a step. A process
            holds as many images at once as the config says, or fewer where its share cannot be made of so
            many.

    Returns:
        Images per step of the optimizer, over all processes.

    Raises:
        UserError: the recipe's batch cannot be shared by the processes evenly.
    """
    images, processes = cfg.train_dataloader.batch_size, world_size()
    recipe = cfg.get("auto_scale_lr") or {}
    batch = recipe.get("base_batch_size") or images
    own = cfg.optim_wrapper.get("accumulative_counts", 1)
    if recipe.get("enable") or own > 1:
        return images * processes * own
    share, rest = divmod(batch, processes)
    if rest:
        raise UserError(
            f"the recipe's batch of {batch} images cannot be shared by {processes} processes evenly: "
            f"start a number that divides it, {_ELSE}"
        )
    images = max(size for size in range(1, min(share, images) + 1) if share % size == 0)
    cfg.train_dataloader.batch_size = images
    batches = share // images
    if batches == 1:
        return batch
    loop = getattr(cfg.train_cfg.get("type"), "__name__", cfg.train_cfg.get("type")) or (
        "Epoch" if cfg.train_cfg.get("by_epoch", True) else "Iter"
    )
    loop = loop if loop.endswith("Loop") else f"{loop}BasedTrainLoop"
    if loop not in _LOOPS:
        raise UserError(
            f"gradients cannot be accumulated in a {loop}: train on {batches} times as many processes, "
            + _ELSE
        )
    cfg.train_cfg = {
        **{key: value for key, value in cfg.train_cfg.items() if key != "by_epoch"},
        "type": _LOOPS[loop],
        "batches": batches,
    }
    return batch


class _Groups:
    """A data loader that hands on lists of `size` batches; the last of an epoch may be shorter."""

    def __init__(self, loader: DataLoader, size: int) -> None:
        self.loader = loader
        self.size = size

    @property
    def batch_size(self) -> int:
        """Samples per list: MMEngine skips so many per iteration when it resumes."""
        return self.loader.batch_size * self.size

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def __len__(self) -> int:
        whole, rest = divmod(len(self.loader), self.size)
        return whole + bool(rest and not self.loader.drop_last)

    def __iter__(self) -> Iterator[list]:
        group = []
        for batch in self.loader:
            group.append(batch)
            if len(group) == self.size:
                yield group
                group = []
        if group and not self.loader.drop_last:
            yield group


class _Accumulating:
    """What the two training loops have in common."""

    def __init__(self, runner: Runner, dataloader: Any, batches: int, **kwargs: Any) -> None:
        if isinstance(dataloader, dict):
            differ = runner._randomness_cfg.get("diff_rank_seed", False)
            dataloader = runner.build_dataloader(dataloader, seed=runner.seed, diff_rank_seed=differ)
        super().__init__(runner, _Groups(dataloader, batches), **kwargs)
        self.batches = batches

    def step(self, index: int, group: list) -> None:
        """One iteration: forward and backward for each batch, then one step on the mean of the gradients."""
        runner = self.runner
        runner.call_hook("before_train_iter", batch_idx=index, data_batch=group)
        wrapper = runner.optim_wrapper
        # Not by the constructor: MMEngine would count iterations, and warn when it resumes between multiples.
        wrapper._accumulative_counts = self.batches
        # From 0 to the length of this group: a shorter one at the end of an epoch makes a step, too. The
        # module is only asked for BatchNorm, to warn of it at every call.
        wrapper.initialize_count_status(nn.Identity(), 0, len(group))
        outputs = [runner.model.train_step(batch, optim_wrapper=wrapper) for batch in group]
        mean = {name: torch.stack([part[name] for part in outputs]).mean(0) for name in outputs[0]}
        runner.call_hook("after_train_iter", batch_idx=index, data_batch=group, outputs=mean)
        self._iter += 1


@LOOPS.register_module()
class AccumulatingEpochLoop(_Accumulating, EpochBasedTrainLoop):
    """MMEngine's loop over epochs, with several batches to a step."""

    def run_iter(self, idx: int, data_batch: list) -> None:
        self.step(idx, data_batch)


@LOOPS.register_module()
class AccumulatingIterLoop(_Accumulating, IterBasedTrainLoop):
    """MMEngine's loop over iterations, with several batches to a step."""

    def run_iter(self, data_batch: list) -> None:
        self.step(self._iter, data_batch)
