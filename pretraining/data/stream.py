"""The samples of a training in one order, whoever reads them: processes and workers only share the work."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from common.errors import UserError
from pretraining.data.batches import BatchMaker, Item
from pretraining.data.prefetch import batches_on
from pretraining.data.shards import RawSample, raw_samples
from pretraining.objectives.base import ImageTextBatch

logger = logging.getLogger("mmengine")

MAX_READERS = 64
_NEIGHBOURS = 32
"""How far to look for a sample that can take the place of an unreadable one."""


def virtual_readers(shards: int) -> int:
    """How many readers share so many shards: as evenly as can be, and then as many as can be, up to 64.

    It depends on the data alone, so that the order of samples does, too.
    """
    most = min(MAX_READERS, shards)
    return max(
        range(most // 2 + 1, most + 1),
        key=lambda readers: (shards / readers / math.ceil(shards / readers), readers),
    )


class VirtualReader:
    """One of the readers that the shards are dealt to: an endless, shuffled sequence of undecoded samples.

    The sequence depends on the seed and the reader's number. The shards are dealt anew each epoch, and mixed
    through a buffer.

    Args:
        shards: all tar files of the training.
        number, readers: which of how many readers it is.
        seed: of the order.
        buffer_size: undecoded samples held for mixing.
    """

    def __init__(self, shards: list[Path], number: int, readers: int, seed: int, buffer_size: int) -> None:
        self.shards = shards
        self.number = number
        self.readers = readers
        self.seed = seed
        self.buffer_size = buffer_size
        self.position = 0
        self._samples = self._endless()
        self._past: deque[tuple[int, RawSample]] = deque(maxlen=_NEIGHBOURS)
        self._ahead: deque[tuple[int, RawSample]] = deque()
        self._broken: list[tuple[int, str]] = []

    def take(
        self, start: int, stop: int, read: Callable[[int, RawSample], Item], skipped: Counter[str]
    ) -> list[Item]:
        """Read the samples from position `start` to before `stop`; what comes before `start` is passed over.

        A sample that cannot be read is counted, and the one before it takes its place, so that a position is
        the same sample whatever is broken, and whoever reads.

        Args:
            start, stop: positions in this reader's sequence, not before those of an earlier call.
            read: decodes an (epoch, sample).
            skipped: what could not be read, by what was wrong, is added to it.

        Raises:
            UserError: no neighbour can be read, either.
        """
        while self.position < start:
            self._next()
        items = []
        while self.position < stop:
            epoch, sample = self._next()
            try:
                item = read(epoch, sample)
            except ValueError as error:
                name = f"{Path(sample['__url__']).name}:{sample['__key__']}"
                logger.warning("skipped %s: %s", name, error)
                skipped[name] += 1
                item = self._neighbour(read)
            items.append(item)
        # What broke elsewhere is counted by whoever reads the samples there, or later.
        skipped.update(name for position, name in self._broken if start <= position < stop)
        self._broken = [(position, name) for position, name in self._broken if position >= stop]
        return items

    def _next(self) -> tuple[int, RawSample]:
        entry = self._ahead.popleft() if self._ahead else next(self._samples)
        self._past.append(entry)
        self.position += 1
        return entry

    def _neighbour(self, read: Callable[[int, RawSample], Item]) -> Item:
        """The nearest earlier sample that can be read, or at the beginning the nearest later one."""
        candidates = list(self._past)[-2::-1]
        if self.position <= _NEIGHBOURS:
            self._ahead.extend(islice(self._samples, _NEIGHBOURS - len(self._ahead)))
            candidates += self._ahead
        for epoch, sample in candidates:
            try:
                return read(epoch, sample)
            except ValueError:
                continue
        shard = self._past[-1][1]["__url__"]
        raise UserError(
            f"{shard}: none of {_NEIGHBOURS} samples in a row can be read; a sample is "
            "a .jpg, .png or .webp beside a .txt or .json caption of the same name"
        )

    def _endless(self) -> Iterator[tuple[int, RawSample]]:
        made = 0

        def on_error(error: Exception) -> bool:
            shard = Path(str(error.args[-1])).name if error.args else "shard"
            logger.warning("skipped the rest of %s: %s", shard, error)
            self._broken.append((made, shard))
            return True

        for epoch in count():
            order = np.random.default_rng([self.seed, epoch]).permutation(len(self.shards))
            mine = [self.shards[i] for i in order[self.number :: self.readers]]
            rng = np.random.default_rng([self.seed, epoch, self.number])
            buffer: list[RawSample] = []
            empty = True
            for sample in raw_samples(mine, on_error):
                empty = False
                if len(buffer) < self.buffer_size:
                    buffer.append(sample)
                    continue
                place = int(rng.integers(len(buffer)))
                made += 1
                yield epoch, buffer[place]
                buffer[place] = sample
            if empty:
                names = ", ".join(shard.name for shard in mine[:3])
                raise UserError(
                    f"no sample can be read from {names}: are these tar files of image–text pairs?"
                )
            for place in rng.permutation(len(buffer)):
                made += 1
                yield epoch, buffer[place]


class TrainStream(IterableDataset):
    """An endless stream of training batches, of which each process, and each of its workers, makes a piece.

    The i-th sample of a training is the next one of virtual reader i modulo their number. A batch lists its
    samples by reader and is cut into equal pieces. Where a cut goes through a reader, two processes read it,
    undecoded, and each decodes its own samples only; with few samples per reader the cut wanders from batch
    to batch, and several do. Use it through `TrainLoader`.

    Args:
        shards: tar files.
        make_batch: decodes samples and makes batches of them.
        batch_size: samples per batch, over all processes.
        length: batches of the whole run, for those who ask; the stream itself does not end.
        seed: of the order.
        shuffle_buffer: undecoded samples held for mixing, over all readers; those that two processes read are
            held twice.
        process, processes: which of how many this is.

    Attributes:
        start: batches to pass over, undecoded.
    """

    def __init__(
        self,
        shards: list[Path],
        make_batch: BatchMaker,
        batch_size: int,
        length: int,
        seed: int = 0,
        shuffle_buffer: int = 65_536,
        process: int = 0,
        processes: int = 1,
    ) -> None:
        super().__init__()
        self.shards = shards
        self.make_batch = make_batch
        self.batch_size = batch_size
        self.length = length
        self.seed = seed
        self.readers = virtual_readers(len(shards))
        self.buffer_size = max(1, shuffle_buffer // self.readers)
        self.process = process
        self.processes = processes
        self.start = 0

    def shares(self, step: int, piece: int, pieces: int) -> Iterator[tuple[int, int, int]]:
        """What a piece of a batch consists of.

        Yields:
            A reader's number, and the positions in its sequence to begin at and to end before.
        """
        first, last = (self.batch_size * number // pieces for number in (piece, piece + 1))
        begin = 0  # of the reader's samples within the batch
        for reader in range(self.readers):
            start, stop = (
                (samples - reader + self.readers - 1) // self.readers
                for samples in (step * self.batch_size, (step + 1) * self.batch_size)
            )
            end = begin + stop - start
            if max(begin, first) < min(end, last):
                yield reader, start + max(begin, first) - begin, start + min(end, last) - begin
            begin = end

    def __iter__(self) -> Iterator[ImageTextBatch]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        piece, pieces = self.process * workers + worker, self.processes * workers
        readers: dict[int, VirtualReader] = {}
        clock = time.process_time()
        for step in count(self.start):
            skipped: Counter[str] = Counter()
            items: list[Item] = []
            with self.make_batch.own_random_numbers():
                for number, start, stop in self.shares(step, piece, pieces):
                    if number not in readers:
                        settings = (self.readers, self.seed, self.buffer_size)
                        readers[number] = VirtualReader(self.shards, number, *settings)
                    items += readers[number].take(start, stop, self.make_batch.read, skipped)
            batch = self.make_batch.collate(items)
            batch.skipped = dict(skipped)
            if info:
                clock, before = time.process_time(), clock
                batch.loader_cpu_seconds = clock - before
            yield batch


class TrainLoader:
    """A data loader of this process's part of each batch, put together from the pieces of its workers.

    Args:
        stream: whose batches.
        num_workers: processes that decode; 0 decodes in this one. No more than there are samples to share.
        device: where the batches are wanted: a GPU gets them ahead of time (`batches_on`).
        **settings: of `torch.utils.data.DataLoader`.
    """

    def __init__(
        self,
        stream: TrainStream,
        num_workers: int = 0,
        device: str | torch.device = "cpu",
        **settings: Any,
    ) -> None:
        workers = min(num_workers, stream.batch_size // stream.processes)
        self.dataset = stream
        self._pieces = max(1, workers)
        self._device = torch.device(device)
        self._loader = DataLoader(
            stream, batch_size=None, num_workers=workers, persistent_workers=workers > 0, **settings
        )

    def __len__(self) -> int:
        return self.dataset.length

    def __iter__(self) -> Iterator[ImageTextBatch]:
        pieces = iter(self._loader)  # in turn from each worker
        return batches_on(pieces, self._pieces, self._device)
