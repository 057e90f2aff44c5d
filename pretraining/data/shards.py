"""Image–text pairs from WebDataset shards, as deterministic batches that can be taken up at any position."""

from __future__ import annotations

import io
import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch
import webdataset
from mmengine.dist import get_rank, get_world_size
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, get_worker_info
from torchvision.transforms import RandomResizedCrop, v2
from torchvision.transforms.functional import pil_to_tensor

from common.errors import UserError
from pretraining.objectives import ImageTextBatch

IMAGE_TYPES = ("jpg", "jpeg", "png", "webp")
RawSample = dict[str, Any]
logger = logging.getLogger("mmengine")


def find_shards(folder: Path) -> list[Path]:
    """The tar shards of a folder, sorted by name.

    Raises:
        UserError: the folder is missing or holds no shard.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder} does not exist: give the folder of tar shards as --data pairs=PATH")
    shards = sorted(folder.glob("*.tar"))
    if not shards:
        raise UserError(f"{folder} holds no .tar shard: write pairs as WebDataset shards (img2dataset does)")
    return shards


def raw_samples(shards: list[Path], on_error: Callable[[Exception], bool]) -> Iterator[RawSample]:
    """Undecoded samples of local shards, in order; each is a dict of file endings to bytes.

    Only the files a pair is made of are kept. Paths are made absolute, because WebDataset would take a
    relative name such as ``pipe:...`` as a command.
    """
    wanted = {*IMAGE_TYPES, "txt", "json"}
    urls = ({"url": str(shard.resolve())} for shard in shards)
    return webdataset.tariterators.tarfile_samples(
        urls, handler=on_error, select_files=lambda name: name.rpartition(".")[2].lower() in wanted
    )


def caption_of(sample: RawSample) -> str:
    """The caption: the ``.txt`` member, or else ``caption`` of the ``.json`` member.

    Raises:
        ValueError: there is none, it is no text, or it is not UTF-8.
    """
    if "txt" in sample:
        return sample["txt"].decode("utf-8")
    caption = json.loads(sample["json"]).get("caption") if "json" in sample else None
    if not isinstance(caption, str):
        raise ValueError("no caption")
    return caption


def decode_image(sample: RawSample) -> Image.Image:
    """The picture as RGB.

    Raises:
        ValueError: the sample has no picture of a known type.
        OSError: the picture cannot be decoded.
    """
    data = next((sample[ending] for ending in IMAGE_TYPES if ending in sample), None)
    if data is None:
        raise ValueError("no picture")
    with Image.open(io.BytesIO(data)) as picture:
        return picture.convert("RGB")


def train_transform(
    image_size: int, scale: tuple[float, float] = (0.5, 1.0), flip: float = 0.5
) -> Callable[[Image.Image], Tensor]:
    """Random resized crop and horizontal flip, to uint8 [3, size, size].

    The boxes and the pixels are torchvision's; calling Pillow directly is faster than its chain of
    transforms (`tests/performance/bench_loader.py`).
    """

    def transform(image: Image.Image) -> Tensor:
        top, left, height, width = RandomResizedCrop.get_params(image, list(scale), [3 / 4, 4 / 3])
        image = image.crop((left, top, left + width, top + height))
        image = image.resize((image_size, image_size), Image.Resampling.BILINEAR)
        if torch.rand(1) < flip:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return pil_to_tensor(image)

    return transform


def eval_transform(image_size: int) -> Callable[[Image.Image], Tensor]:
    """Short side to `image_size`, centre crop, to uint8 [3, size, size]."""
    return v2.Compose([v2.Resize(image_size, antialias=True), v2.CenterCrop(image_size), v2.PILToTensor()])


class BatchMaker:
    """Turns undecoded samples into an `ImageTextBatch`.

    A sample that cannot be read is counted, and its place is taken by the sample before it, so that batches
    keep one size on all processes and a position in the stream is the same number with or without it.

    Args:
        transform: PIL image -> uint8 [3, H, W].
        tokenizer: captions -> [B, L], for objectives that read text.
        labels: (shard, key) -> classes, for objectives that read synsets.
        seed: of the augmentation, which depends on nothing but this, the epoch and the sample's key.
    """

    def __init__(
        self,
        transform: Callable[[Image.Image], Tensor],
        tokenizer: Callable[[list[str]], Tensor] | None = None,
        labels: Callable[[str, str], tuple[int, ...]] | None = None,
        seed: int = 0,
    ) -> None:
        self.transform = transform
        self.tokenizer = tokenizer
        self.labels = labels
        self.seed = seed

    def _read(self, sample: RawSample, epoch: int) -> tuple[Tensor, str, tuple[int, ...]]:
        caption = caption_of(sample)
        picture = decode_image(sample)
        torch.default_generator.manual_seed(crc32(f"{self.seed} {epoch} {sample['__key__']}".encode()))
        image = self.transform(picture)
        classes = self.labels(sample["__url__"], sample["__key__"]) if self.labels else ()
        return image, caption, classes

    def __call__(self, samples: list[tuple[int, RawSample]], skipped: Counter[str]) -> ImageTextBatch:
        """Decode ``(epoch, sample)`` pairs; `skipped` holds what was lost before decoding.

        Raises:
            UserError: none of the samples can be read.
        """
        read: list[tuple[Tensor, str, tuple[int, ...]] | None] = []
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
        images, captions, classes = zip(*filled, strict=True)
        batch = ImageTextBatch(torch.stack(images), list(captions), skipped=dict(skipped))
        if self.tokenizer is not None:
            batch.text = self.tokenizer(list(captions))
        if self.labels is not None:
            counts = torch.tensor([len(c) for c in classes])
            batch.label_rows = torch.repeat_interleave(torch.arange(len(classes)), counts)
            batch.label_classes = torch.tensor([c for row in classes for c in row], dtype=torch.long)
        return batch


class SynsetLabels:
    """Classes of a sample, from the sidecar beside its shard and a vocabulary.

    Args:
        index: synset offset -> class, without the synsets outside the vocabulary.
        read_sidecar: shard -> {key: synset offsets}; it raises `UserError` where a shard is not labelled.
    """

    def __init__(
        self, index: dict[int, int], read_sidecar: Callable[[Path], dict[str, tuple[int, ...]]]
    ) -> None:
        self.index = index
        self.read_sidecar = read_sidecar
        self._by_shard: dict[str, dict[str, tuple[int, ...]]] = {}

    def __call__(self, shard: str, key: str) -> tuple[int, ...]:
        if shard not in self._by_shard:
            # the shuffle buffer mixes neighbouring shards, so a few are kept at once
            while len(self._by_shard) >= 8:
                self._by_shard.pop(next(iter(self._by_shard)))
            self._by_shard[shard] = self.read_sidecar(Path(shard))
        synsets = self._by_shard[shard].get(key)
        if synsets is None:
            raise ValueError("no label for this key in the shard's sidecar")
        return tuple(self.index[s] for s in synsets if s in self.index)


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
