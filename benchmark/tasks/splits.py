"""Training, validation and test images of a classification task, and how much of them is used."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from benchmark.data import labelled
from benchmark.data.images import ImageSplit
from benchmark.data.subsets import fraction, hold_out
from benchmark.tasks.base import TaskContext
from common.errors import UserError
from common.settings import Settings

AUTO = "auto"
TEST_SHARE = 0.2
"""Of data without splits, the share of each class that judges; whatever the seed, it is the same."""


class SplitSettings(Settings):
    """What classification configs may say of their images under ``task``.

    Attributes:
        train, val, test: names of the splits. With ``val=None`` a share of the training split, drawn by the
            seed, takes its place and is not trained on. ``auto`` takes what there is: as test split ``test``,
            else ``val`` or ``validation``, else, of data without splits, a fifth of every class; as
            validation split ``val`` or ``validation`` where it does not judge, else none.
        hold_out: that share.
        fraction: share of the training images that is used, the same of every class, at least one of each.
            Validation images are used all: chosen on a handful, a setting would be the luck of these.
        draw: which of the possible parts; those of one draw nest.

    Class attributes:
        needs_validation: whether something is chosen by validation images.
    """

    needs_validation: ClassVar[bool] = True

    train: str = "train"
    val: str | None = "val"
    test: str = "test"
    hold_out: float = 0.1
    fraction: float = Field(1.0, gt=0, le=1)
    draw: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _splits(self) -> SplitSettings:
        least = 1e-9 if self.needs_validation else 0
        if (self.val in (None, AUTO) or self.test == AUTO) and not least <= self.hold_out < 1:
            raise ValueError(f"hold_out={self.hold_out}: give a share between 0 and 1")
        _check_apart(self.train, self.val, self.test, ValueError)
        return self


def read_splits(context: TaskContext, settings: SplitSettings) -> tuple[ImageSplit, ImageSplit, ImageSplit]:
    """Training, validation and test images of a cell, each of which shows one class; see `split_images`."""
    return split_images(context.data, settings, context.seed)


class TrainingSplits(SplitSettings):
    """The same where nothing is chosen: with ``val=None, hold_out=0`` there are no validation images."""

    needs_validation: ClassVar[bool] = False


def split_images(
    data: Path, settings: SplitSettings, seed: int, several: bool = False
) -> tuple[ImageSplit, ImageSplit, ImageSplit]:
    """Training, validation and test images.

    Args:
        data: a folder or a csv.
        settings: what is read of it.
        seed: of what is held out.
        several: an image may show several classes.

    Raises:
        UserError: a split is missing, or the data cannot be read.
    """
    chosen = choose_splits(settings, labelled.splits(data))
    train = labelled.read_split(data, chosen.train, several=several)
    if chosen.test is None:
        train, test = hold_out(train, TEST_SHARE, 0)
    else:
        test = labelled.read_split(data, chosen.test, train.classes, several)
    if chosen.val is None and settings.hold_out == 0:
        val = train.subset(np.arange(0))
    elif chosen.val is None:
        train, val = hold_out(train, settings.hold_out, seed)
    else:
        val = labelled.read_split(data, chosen.val, train.classes, several)
    return fraction(train, settings.fraction, settings.draw), val, test


class Chosen(NamedTuple):
    """Names of splits; None for a share of the training split."""

    train: str
    val: str | None
    test: str | None


def choose_splits(settings: SplitSettings, found: list[str]) -> Chosen:
    """What ``auto`` means for data with these splits.

    Raises:
        UserError: nothing could judge.
    """
    train, val, test = settings.train, settings.val, settings.test
    if AUTO not in (val, test):
        return Chosen(train, val, test)
    validation = next((name for name in ("val", "validation", "val2017") if name in found), None)
    if test == AUTO and not found:
        return Chosen("", None, None)
    if test == AUTO:
        test = "test" if "test" in found else validation
    if test is None:
        raise UserError(
            f"there are the splits {', '.join(found)}, and none called test, val or validation: name those "
            "that judge with --set task.test=NAME"
        )
    if val == AUTO:
        val = validation if validation != test else None
    _check_apart(train, val, test, UserError)
    return Chosen(train, val, test)


def _check_apart(train: str, val: str | None, test: str, kind: type[Exception]) -> None:
    """Refuse a split in two parts.

    Raises:
        kind: images that are trained on or chosen by would judge, or those that are trained on would choose.
    """
    if test != AUTO and test in (train, val):
        raise kind(f"split {test!r} cannot both {'train' if test == train else 'choose'} and judge")
    if val == train:
        raise kind(f"split {val!r} cannot both train and choose: leave val out, and a share is held out")
