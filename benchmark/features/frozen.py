"""Frozen features of a cell's backbone, from the cache or made now: all that such tasks ask of a backbone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from pydantic import Field

from backbones import catalog, empty_backbone
from backbones.vit import Preprocessing, ViT
from benchmark.data.images import ImageSplit
from benchmark.features.cache import FeatureCache, FeatureTable
from benchmark.features.extract import calibrate, extract
from common.settings import Settings

if TYPE_CHECKING:
    from benchmark.tasks.base import TaskContext

Feature = Literal["class_token", "patch_mean", "both", "last_blocks"]
"""A kind of feature (`extract.KINDS`); ``both`` is the class token and behind it the mean of the patches."""


class EncodingSettings(Settings):
    """What a config of a task on frozen features may say of how they are made.

    Attributes:
        encode_batch_size, workers: of reading and encoding; no influence on the result beyond rounding.
    """

    encode_batch_size: int = Field(256, ge=1)
    workers: int = Field(2, ge=0)


VERSION = 1
"""Raised by one whenever a change alters features."""


class FrozenFeatures:
    """What a cell's backbone makes of images, without being trained.

    Args:
        context: the cell.
        train: the training images, from which BatchNorms without statistics (random weights) take them.
        batch_size, workers: of reading and encoding; no influence on the result beyond rounding.
        kinds: of features that are asked for: one pass over the images makes all of them.
    """

    def __init__(
        self,
        context: TaskContext,
        train: ImageSplit,
        batch_size: int,
        workers: int,
        kinds: Sequence[Feature] = ("class_token",),
    ) -> None:
        self._context, self._train = context, train
        self._batch_size, self._workers = batch_size, workers
        self._kinds = list(dict.fromkeys(part for kind in kinds for part in _PARTS.get(kind, (kind,))))
        self._cache = FeatureCache(context.results / "features") if context.results else None

    @cached_property
    def vit(self) -> ViT:
        """The backbone; its weights are read when an image must be looked at."""
        vit = self._context.load_backbone().to(self._context.device)
        calibrate(vit, self._train, self._workers, self._context.device)
        return vit

    @cached_property
    def preprocessing(self) -> Preprocessing:
        return self.vit.preprocessing if self._cache is None else empty_backbone(self._backbone).preprocessing

    @property
    def _backbone(self) -> str:
        return self._context.backbone

    def of(self, images: ImageSplit, stage: str, feature: Feature = "class_token") -> FeatureTable:
        """Features of images, in their order.

        Args:
            stage: what the images are called in the report of progress, for instance ``train``.

        Raises:
            UserError: an image cannot be read.
            FloatingPointError: a feature is not finite.
        """

        def make(kinds: list[str], start: int, end: int) -> dict[str, torch.Tensor]:
            def report(done: int) -> None:
                self._context.report(f"features of {stage}", start + done, len(images))

            some = images.subset(np.arange(start, end))
            return extract(
                self.vit, some, kinds, report, self._context.device, self._batch_size, self._workers
            )

        parts = _PARTS.get(feature, (feature,))
        wanted = list(dict.fromkeys((*self._kinds, *parts)))
        if self._cache is None:
            made = make(wanted, 0, len(images))
            tables = {kind: FeatureTable([made[kind]]) for kind in wanted}
        else:
            words = f"{self._backbone} on {images.root.name}, {stage}"
            tables = self._cache.tables(self._identity(images), len(images), wanted, make, words)
        if len(parts) == 1:
            return tables[parts[0]]
        sides = zip(*(tables[part].shards for part in parts), strict=True)
        return FeatureTable([torch.cat(side, dim=1) for side in sides])

    def _identity(self, images: ImageSplit) -> dict[str, Any]:
        """What decides the features of images."""
        is_random = self._backbone.startswith("random:")
        return {
            "backbone": self._backbone if is_random else catalog.describe(self._backbone).source,
            "weights": catalog.backbone_digest(self._backbone),
            "seed": self._context.seed if is_random else None,
            "calibration": self._train.state() if is_random else None,
            "images": images.state(),
            "preprocessing": asdict(self.preprocessing),
            "precision": "float32",
            "version": VERSION,
        }


_PARTS: dict[str, tuple[str, ...]] = {"both": ("class_token", "patch_mean")}
