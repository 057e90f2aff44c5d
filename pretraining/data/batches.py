"""Image–text pairs as deterministic batches that can be taken up at any position."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch
from mmengine.dist import get_rank, get_world_size
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from common.errors import UserError
from pretraining.data.augment import Transform
from pretraining.data.readings import Reading
from pretraining.data.shards import RawSample, caption_of, raw_samples
from pretraining.objectives.base import ImageTextBatch

logger = logging.getLogger("mmengine")


class BatchMaker:
    """Turns undecoded samples into an `ImageTextBatch`.

    A sample that cannot be read is counted, and its place is taken by the sample before it, so that batches
    keep one size on all processes and a position in the stream is the same number with or without it.

    Args:
        transform: undecoded sample -> uint8 [3, H, W].
        reading: what is read beside images and captions; without it, nothing is.
        seed: of the augmentation, which depends on nothing but this, the epoch and the sample's key.
    """

    def __init__(self, transform: Transform, reading: Reading | None = None, seed: int = 0) -> None:
        self.transform = transform
        self.reading = reading
        self.seed = seed

    def _read(self, sample: RawSample, epoch: int) -> tuple[Tensor, str, Any]:
        caption = caption_of(sample)
        torch.default_generator.manual_seed(crc32(f"{self.seed} {epoch} {sample['__key__']}".encode()))
        image = self.transform(sample)
        return image, caption, self.reading.read(sample, caption) if self.reading else None

    def __call__(self, samples: list[tuple[int, RawSample]], skipped: Counter[str]) -> ImageTextBatch:
        """Decode ``(epoch, sample)`` pairs; `skipped` holds what was lost before decoding.

        Raises:
            UserError: none of the samples can be read.
        """
        read: list[tuple[Tensor, str, Any] | None] = []
        with torch.random.fork_rng(devices=[]):
            for epoch, sample in samples:
                try:
                    read.append(self._read(sample, epoch))
                except (ValueError, OSError, SyntaxError, Image.DecompressionBombError) as error:
                    name = f"{Path(sample['__url__']).name}:{sample['__key__']}"
                    logger.warning("skipped %s: %s", name, error)
                    skipped[name] += 1
                    read.append(None)
        good = [item for item in read if item is not None]
        if not good:
            shard = samples[0][1]["__url__"]
            raise UserError(
                f"{shard}: none of {len(samples)} samples in a row can be read; a sample is a .jpg, .png or "
                ".webp beside a .txt or .json caption of the same name"
            )
        last = good[0]
        filled = [last := item if item is not None else last for item in read]
        images, captions, items = zip(*filled, strict=True)
        fields = self.reading.collate(list(items)) if self.reading else {}
        return ImageTextBatch(torch.stack(images), list(captions), skipped=dict(skipped), **fields)


class TrainStream(IterableDataset):
    """An endless, shuffled stream of training batches (use with ``DataLoader(batch_size=None)``).

    Shards are divided among all readers (processes x workers), read in a new order each epoch and mixed
    through a buffer. The stream depends on the seed and the number of readers alone; `start` takes it up
    after that many batches without decoding what came before.

    Args:
        shards: tar files.
        make_batch: undecoded samples -> batch.
        batch_size: samples per batch and process.
        length: batches of the whole run, for those who ask; the stream itself does not end.
        seed: of the order.
        shuffle_buffer: undecoded samples held for mixing, per reader.
    """

    def __init__(
        self,
        shards: list[Path],
        make_batch: BatchMaker,
        batch_size: int,
        length: int,
        seed: int = 0,
        shuffle_buffer: int = 4000,
    ) -> None:
        super().__init__()
        self.shards = shards
        self.make_batch = make_batch
        self.batch_size = batch_size
        self.length = length
        self.seed = seed
        self.shuffle_buffer = shuffle_buffer
        self.start = 0

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[ImageTextBatch]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        # The loader asks its workers in turn, beginning with worker 0; after `start` batches it is the turn
        # of reader `start % workers`, so worker 0 takes that reader's place.
        turn = (worker + self.start) % workers
        done = len(range(turn, self.start, workers))
        reader, readers = get_rank() * workers + turn, get_world_size() * workers
        if len(self.shards) < readers:
            raise UserError(
                f"{len(self.shards)} shards in {self.shards[0].parent} for {readers} readers: "
                "split the data into more shards or set a smaller num_workers"
            )
        skipped: Counter[str] = Counter()
        stream = self._samples(reader, readers, skipped)
        for _ in islice(stream, done * self.batch_size):
            pass
        clock = time.process_time()
        while True:
            samples = list(islice(stream, self.batch_size))
            batch = self.make_batch(samples, skipped)
            skipped.clear()
            if info:
                clock, before = time.process_time(), clock
                batch.loader_cpu_seconds = clock - before
            yield batch

    def _samples(self, reader: int, readers: int, skipped: Counter[str]) -> Iterator[tuple[int, RawSample]]:
        def on_error(error: Exception) -> bool:
            shard = Path(str(error.args[-1])).name if error.args else "shard"
            logger.warning("skipped the rest of %s: %s", shard, error)
            skipped[shard] += 1
            return True

        for epoch in count():
            order = np.random.default_rng([self.seed, epoch]).permutation(len(self.shards))
            mine = [self.shards[i] for i in order[reader::readers]]
            rng = np.random.default_rng([self.seed, epoch, reader])
            buffer: list[RawSample] = []
            empty = True
            for sample in raw_samples(mine, on_error):
                empty = False
                if len(buffer) < self.shuffle_buffer:
                    buffer.append(sample)
                    continue
                place = int(rng.integers(len(buffer)))
                yield epoch, buffer[place]
                buffer[place] = sample
            if empty:
                names = ", ".join(shard.name for shard in mine[:3])
                raise UserError(
                    f"no sample can be read from {names}: are these tar files of image–text pairs?"
                )
            for place in rng.permutation(len(buffer)):
                yield epoch, buffer[place]


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
        return self.make_batch([(0, sample) for sample in self._batches[index]], Counter())
