"""Undecoded image–text pairs made into batches."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any
from zlib import crc32

import torch
from torch import Tensor
from torch.utils.data import Dataset

from common.errors import UserError
from pretraining.data.augment import Transform
from pretraining.data.readings import Reading
from pretraining.data.shards import RawSample, caption_of, raw_samples
from pretraining.objectives.base import ImageTextBatch

logger = logging.getLogger("mmengine")

Item = tuple[Tensor, str, Any]
"""A sample as read: its image, its caption, and what the objective reads of it."""


class BatchMaker:
    """Reads undecoded samples and makes an `ImageTextBatch` of them.

    Args:
        transform: undecoded sample -> uint8 [3, H, W].
        reading: what is read beside images and captions; without it, nothing is.
        seed: of the augmentation, which depends on nothing but this, the epoch and the sample's key.
    """

    def __init__(self, transform: Transform, reading: Reading | None = None, seed: int = 0) -> None:
        self.transform = transform
        self.reading = reading
        self.seed = seed

    @contextmanager
    def own_random_numbers(self) -> Iterator[None]:
        """Leave torch's generator, which `read` sets, as it was."""
        with torch.random.fork_rng(devices=[]):
            yield

    def read(self, epoch: int, sample: RawSample) -> Item:
        """Decode and augment one sample; see `own_random_numbers`.

        Raises:
            ValueError: the sample is broken.
        """
        caption = caption_of(sample)
        torch.default_generator.manual_seed(crc32(f"{self.seed} {epoch} {sample['__key__']}".encode()))
        image = self.transform(sample)
        return image, caption, self.reading.read(sample, caption) if self.reading else None

    def collate(self, items: list[Item]) -> ImageTextBatch:
        """The batch of what `read` gave."""
        images, captions, read = zip(*items, strict=True)
        fields = self.reading.collate(list(read)) if self.reading else {}
        return ImageTextBatch(torch.stack(images), list(captions), **fields)


class ValidationBatches(Dataset):
    """A fixed list of validation batches, held undecoded (use with ``DataLoader(batch_size=None)``).

    Args:
        shards: tar files, read in order.
        make_batch: undecoded samples -> batch.
        batch_size: samples per batch; an incomplete last batch is left out, because contrastive losses of
            different batch sizes cannot be averaged.
        max_samples: read no more than these.
    """

    def __init__(
        self, shards: list[Path], make_batch: BatchMaker, batch_size: int, max_samples: int | None = None
    ) -> None:
        self.make_batch = make_batch
        samples = list(islice(raw_samples(shards, self._on_error), max_samples))
        last = len(samples) - len(samples) % batch_size
        self._batches = [samples[i : i + batch_size] for i in range(0, last, batch_size)]
        if not self._batches:
            raise UserError(
                f"{shards[0].parent}: {len(samples)} validation pairs do not fill one batch of {batch_size}"
            )

    @staticmethod
    def _on_error(error: Exception) -> bool:
        logger.warning("skipped the rest of a validation shard: %s", error)
        return True

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> ImageTextBatch:
        samples, items = self._batches[index], []
        with self.make_batch.own_random_numbers():
            for sample in samples:
                try:
                    items.append(self.make_batch.read(0, sample))
                except ValueError as error:
                    logger.warning("%s of a validation shard is not read: %s", sample["__key__"], error)
        if not items:
            raise UserError(f"{samples[0]['__url__']}: none of {len(samples)} samples in a row can be read")
        items += items[-1:] * (len(samples) - len(items))
        return self.make_batch.collate(items)
