"""Training, validation and test images of a classification task, and how much of them is used."""

from __future__ import annotations

from pydantic import Field, model_validator

from benchmark.data.images import ImageSplit
from benchmark.data.labelled import read_split
from benchmark.data.subsets import fraction, hold_out
from benchmark.tasks.base import TaskContext
from common.settings import Settings


class SplitSettings(Settings):
    """What classification configs may say of their images under ``task``.

    Attributes:
        train, val, test: names of the splits. With ``val=None`` a share of the training split, drawn by the
            seed, takes its place and is not trained on.
        hold_out: that share.
        fraction: share of the training images that is used, the same of every class, at least one of each.
            Validation images are used all: chosen on a handful, a setting would be the luck of these.
        draw: which of the possible parts; those of one draw nest.
    """

    train: str = "train"
    val: str | None = "val"
    test: str = "test"
    hold_out: float = 0.1
    fraction: float = Field(1.0, gt=0, le=1)
    draw: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _splits(self) -> SplitSettings:
        if self.val is None and not 0 < self.hold_out < 1:
            raise ValueError(f"hold_out={self.hold_out}: give a share between 0 and 1")
        if self.test in (self.train, self.val):
            raise ValueError(f"split {self.test!r} cannot both choose and judge")
        return self


def read_splits(context: TaskContext, settings: SplitSettings) -> tuple[ImageSplit, ImageSplit, ImageSplit]:
    """Training, validation and test images."""
    train = read_split(context.data, settings.train)
    test = read_split(context.data, settings.test, train.classes)
    if settings.val is None:
        train, val = hold_out(train, settings.hold_out, context.seed)
    else:
        val = read_split(context.data, settings.val, train.classes)
    return fraction(train, settings.fraction, settings.draw), val, test
