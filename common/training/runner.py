"""MMEngine's Runner, as everything here that trains uses it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmengine.model import BaseAveragedModel, MMDistributedDataParallel, is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from common.files import writing
from common.machine import launched
from common.training import group
from common.training.batchnorm import synchronize_batchnorm
from common.training.checkpoints import (
    BadCheckpoint,
    PlainCheckpointHook,
    candidates,
    check_fits,
    check_state,
    read_checkpoint,
)
from common.training.hooks import MeanOutputsHook


def distributed(
    model: nn.Module, device: torch.device, find_unused_parameters: bool = False
) -> MMDistributedDataParallel:
    """A model on its device, as processes that train together wrap it: see `common.training.group.join`."""
    return MMDistributedDataParallel(
        synchronize_batchnorm(model.to(device)),
        device_ids=[torch.cuda.current_device()] if device.type == "cuda" else None,
        broadcast_buffers=False,
        gradient_as_bucket_view=True,
        find_unused_parameters=find_unused_parameters,
    )


class ResumableRunner(Runner):
    """A Runner whose checkpoints hold tensors and plain values only, and are read as nothing else.

    MMEngine's own unpickles a checkpoint that holds more, which runs whatever code somebody put there. This
    one leaves the file aside, says so in the log, and goes on from the one before; where none is usable,
    training starts over. Only the work folder is looked into, whatever path ``last_checkpoint`` holds: the
    folder may have been moved.

    Processes that were started together (`common.training.launch`, torchrun, Slurm) train together, on GPUs
    or CPUs: what is logged and told are means over them, and BatchNorm's statistics those of the whole batch.

    Args:
        *args, **kwargs: of `mmengine.runner.Runner`; ``launcher`` is chosen here, and ``diff_rank_seed``
            unless ``randomness`` says it.
        quiet: keep the log in its file; for trainings that tell their progress otherwise.
    """

    def __init__(self, *args: Any, quiet: bool = False, **kwargs: Any) -> None:
        self._quiet = quiet
        group.join()
        # What each process draws for itself (stochastic depth, say) differs.
        randomness = {"diff_rank_seed": launched(), **(kwargs.get("randomness") or {})}
        launcher = "pytorch" if launched() else "none"
        super().__init__(*args, **{**kwargs, "randomness": randomness, "launcher": launcher})

    @property
    def averaged_model(self) -> BaseAveragedModel | None:
        """The moving average of the weights, where the training keeps one."""
        return next((hook.ema_model for hook in self.hooks if hasattr(hook, "ema_model")), None)

    @property
    def trained_model(self) -> nn.Module:
        """What a finished training is worth keeping of: its averaged weights, or else its last ones."""
        average = self.averaged_model
        if average is not None:
            return average.module
        return self.model.module if is_model_wrapper(self.model) else self.model

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        logger = super().build_logger(*args, **kwargs)
        for handler in list(logger.handlers):
            if self._quiet and type(handler) is logging.StreamHandler:
                logger.removeHandler(handler)
        return logger

    def register_hooks(self, *args: Any, **kwargs: Any) -> None:
        super().register_hooks(*args, **kwargs)
        self.register_hook(MeanOutputsHook())
        self.register_hook(PlainCheckpointHook(), priority="LOWEST")

    def wrap_model(self, model_wrapper_cfg: dict[str, Any] | None, model: nn.Module) -> nn.Module:
        """MMEngine's own would ask for a GPU."""
        if not self.distributed or model_wrapper_cfg is not None:
            return super().wrap_model(model_wrapper_cfg, model)
        return distributed(model, torch.device(get_device()), self.cfg.get("find_unused_parameters", False))

    def load_or_resume(self) -> None:
        """Go on from the last usable checkpoint of the work folder, if the runner is to resume.

        Raises:
            UserError: processes that train together have found different ones.
        """
        if self._has_loaded or not self._resume or self._load_from is not None:
            super().load_or_resume()
            return
        for path in candidates(Path(self.work_dir)):
            try:
                self.resume(str(path))
                break
            except BadCheckpoint as error:
                self.logger.warning(f"{path.name} is left aside: {error}")
        else:
            self.logger.info("There is no checkpoint to resume from: training starts at its beginning.")
        group.agree("another checkpoint", str(self.iter))
        self._has_loaded = True  # a test after training is of this model, not of what it has saved

    def save_checkpoint(self, out_dir: str, filename: str, *args: Any, **kwargs: Any) -> None:
        """As MMEngine does.

        Raises:
            UserError: the disk is full or read-only; training goes on from the checkpoint before, later.
        """
        with writing(Path(out_dir) / filename):
            super().save_checkpoint(out_dir, filename, *args, **kwargs)

    def load_checkpoint(self, filename: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Load weights, and whatever the hooks keep, from a checkpoint of this very model.

        Whatever device is asked for, the checkpoint is read into the CPU's memory: its values are copied to
        the model's device in any case.

        Raises:
            BadCheckpoint: the file cannot be read, or is another model's. Nothing has changed then.
        """
        checkpoint = read_checkpoint(Path(filename))
        model = self.model.module if is_model_wrapper(self.model) else self.model
        check_fits(checkpoint, model, self.optim_wrapper)
        if self.averaged_model is not None:
            check_state(checkpoint.get("ema_state_dict"), self.averaged_model, "its averaged weights")
        self.call_hook("after_load_checkpoint", checkpoint=checkpoint)
        model.load_state_dict(checkpoint["state_dict"])
        self._has_loaded = True
        return checkpoint
