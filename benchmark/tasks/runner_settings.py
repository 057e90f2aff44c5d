"""The entries of a config for MMEngine's Runner that are checked when it is read. Light: no mmengine.

The Runner understands many more; a wrong value of these would show after minutes, or never.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from common.errors import UserError
from common.settings import checked

_MOST = 10**9
"""A count above is a slip."""

Count = Annotated[int, Field(strict=True, ge=1, le=_MOST)]
Rate = Annotated[float, Field(strict=True, gt=0, le=1e3)]
Share = Annotated[float, Field(strict=True, ge=0, lt=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class Loader(_Part):
    """Of a dataloader: images per step, and processes that read them."""

    batch_size: Count = 1
    num_workers: Annotated[int, Field(strict=True, ge=0, le=1024)] = 0


class Loop(_Part):
    """Of the training loop: how long it is."""

    max_iters: Count | None = None
    max_epochs: Count | None = None
    val_interval: Count | None = None


class Optimizer(_Part):
    """Of the optimizer."""

    lr: Rate | None = None
    weight_decay: Annotated[float, Field(strict=True, ge=0, le=1e3)] | None = None
    betas: tuple[Share, Share] | None = None


class Wrapper(_Part):
    """Of the optimizer's wrapper."""

    optimizer: Optimizer = Optimizer()


class RunnerConfig(_Part):
    """What every config for the Runner has in common."""

    train_dataloader: Loader | None = None
    val_dataloader: Loader | None = None
    test_dataloader: Loader | None = None
    train_cfg: Loop | None = None
    optim_wrapper: Wrapper | None = None


def check(config: Mapping[str, Any], where: str) -> None:
    """Check the entries of a config that MMEngine's Runner is made from.

    Args:
        config: all of it.
        where: the file, for the message.

    Raises:
        UserError: one of them is impossible.
    """
    checked(RunnerConfig, {key: config[key] for key in RunnerConfig.model_fields if key in config}, where)


def judge_by_validation(config: Any, where: str) -> None:
    """Let validation images take the place of test images in a config of a dense task, which is changed.

    Args:
        config: its entries name the images by loaders, not by a split.
        where: the file, for the message.

    Raises:
        UserError: it names no validation images, or they are the test images.
    """
    for key in ("dataloader", "evaluator"):
        validation, test = config.get(f"val_{key}"), config.get(f"test_{key}")
        if not validation or (key == "dataloader" and validation["dataset"] == test["dataset"]):
            raise UserError(
                f"{where}: task.test='val', but its validation images are "
                + ("its test images" if validation else f"not named: it has no val_{key}")
            )
        config[f"test_{key}"] = copy.deepcopy(validation)


def schedule_warning(config: Mapping[str, Any]) -> str | None:
    """A sentence on a learning rate whose schedule does not end when the training does; None where it does.

    The schedule is part of what decides a result: it is left as it is written.
    """
    loop, schedulers = config.get("train_cfg") or {}, config.get("param_scheduler") or ()
    schedulers = [schedulers] if isinstance(schedulers, Mapping) else schedulers
    for unit, by_epoch in (("iterations", False), ("epochs", True)):
        length = loop.get("max_iters" if unit == "iterations" else "max_epochs")
        ends = {
            entry["end"]: entry.get("type")
            for entry in schedulers
            if isinstance(entry, Mapping)
            and entry.get("by_epoch", True) is by_epoch
            and isinstance(entry.get("end"), int)
        }
        if not isinstance(length, int) or not ends or max(ends) == length:
            continue
        warm = max((end for end, kind in ends.items() if kind == "LinearLR"), default=0)
        what = f"the training's {length:,} {unit}"
        if length <= warm:
            told = f"{what} are over within the {warm:,} of the warm-up"
        elif length < max(ends):
            told = f"{what} are over before the schedule of the learning rate, which ends at {max(ends):,}"
        else:
            told = f"the schedule of the learning rate ends at {max(ends):,}, before {what}"
        return f"{told}: set begin, end and T_max of param_scheduler, too"
    return None
