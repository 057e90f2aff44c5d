"""Image–text retrieval: the caption of a picture among all captions, and the other way round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas
import torch
from pydantic import Field
from torch import Tensor

from backbones import catalog
from benchmark.data.images import ImageSplit, decode
from benchmark.features.frozen import EncodingSettings, FrozenFeatures
from benchmark.metrics import accuracy
from benchmark.tasks.base import Outcome, Task, TaskContext
from common.errors import UserError
from pretraining.data.shards import caption_of, image_bytes, pair_splits, raw_samples

if TYPE_CHECKING:
    from PIL.Image import Image

PLACES = (1, 5, 10)


class ImageTextSettings(EncodingSettings):
    """What a task config may say under ``task``.

    Attributes:
        split: whose pairs are taken: ``val``, or ``train`` of pairs that nothing was trained on.
        limit: the first so many pairs.
    """

    split: Literal["val", "train"] = "val"
    limit: int = Field(5000, ge=2)


class ImageText(Task):
    """Recall at 1, 5 and 10 both ways, for backbones with a text tower; nothing is trained or chosen.

    A caption that several pictures have is right for each of them.
    """

    def run(self, context: TaskContext) -> Outcome:
        settings = context.checked(ImageTextSettings)
        tower = catalog.load_text(context.backbone)
        images, captions = read_pairs(context.data, settings.split, settings.limit)
        frozen = FrozenFeatures(context, images, settings.encode_batch_size, settings.workers)
        pictures = tower.images(frozen.of(images, settings.split).tensor())
        context.report("reading captions")
        texts = tower.texts(captions)
        same = np.unique(captions, return_inverse=True)[1]
        ranks = {"image_to_text": first_right(pictures, texts, same)}
        ranks["text_to_image"] = first_right(texts, pictures, same)
        each = np.arange(len(images))
        metrics = {
            f"{way}_r{place}": accuracy.of_shares((found < place).astype(float), each)
            for way, found in ranks.items()
            for place in PLACES
        }
        return Outcome(
            primary="image_to_text_r1",
            also=["text_to_image_r1"],
            metrics=metrics,
            per_image=pandas.DataFrame({"path": images.paths, "caption": captions, **ranks}),
            details={
                "images": {settings.split: len(images)},
                "different_captions": len(set(captions)),
                "temperature": 1 / tower.logit_scale,
                "image_size": frozen.preprocessing.size,
            },
            images=len(images),
        )


def first_right(queries: Tensor, answers: Tensor, same: np.ndarray, chunk: int = 1024) -> np.ndarray:
    """How many wrong answers are likelier than the likeliest right one: [N] int64.

    Args:
        queries, answers: [N, E] unit vectors, a pair in each row.
        same: [N]; pairs with the same number are right for each other.
        chunk: queries that are compared at a time.
    """
    groups = torch.as_tensor(same)
    found = []
    for start in range(0, len(queries), chunk):
        similarity = queries[start : start + chunk] @ answers.T
        right = groups[start : start + chunk, None] == groups[None]
        best = similarity.masked_fill(~right, -torch.inf).amax(1, keepdim=True)
        # of equally likely ones the wrong count first: nothing is won by saying the same of everything
        found.append(((similarity >= best) & ~right).sum(1))
    return torch.cat(found).numpy()


@dataclass(frozen=True)
class ShardPictures:
    """Pictures of shards, held as they are in them."""

    shards: list[Path]
    content: dict[str, bytes]

    def open(self, path: str) -> Image:
        return decode(self.content[path], path)

    def state(self, paths: Sequence[str]) -> list[Any]:
        stats = [(str(shard.name), shard.stat().st_size, shard.stat().st_mtime_ns) for shard in self.shards]
        return [*map(list, stats), *paths]


def read_pairs(folder: Path, split: str, limit: int) -> tuple[ImageSplit, list[str]]:
    """Pictures and their captions, in the order of the shards.

    Raises:
        UserError: there are no such shards, or a pair cannot be read: a test has no use for part of a set.
    """
    train, val = pair_splits(folder)
    shards = train if split == "train" else val
    if not shards:
        raise UserError(f"{folder} has no {split}/*.tar: pairs that nothing was trained on are needed")
    content: dict[str, bytes] = {}
    captions: list[str] = []

    def stop(error: Exception) -> bool:
        raise UserError(f"{folder}, {split}: a shard cannot be read ({error})")

    for sample in raw_samples(shards, stop):
        name = f"{Path(sample['__url__']).name}:{sample['__key__']}"
        if name in content:
            raise UserError(f"{folder}, {split}: {name} is there twice")
        try:
            captions.append(caption_of(sample))
            content[name] = image_bytes(sample)
        except ValueError as error:
            raise UserError(f"{folder}, {split}: {name}: {error}") from None
        if len(content) == limit:
            break
    if len(content) < 2:
        raise UserError(f"{folder}, {split}: {len(content)} pairs: at least two are needed")
    names = list(content)
    labels = np.zeros(len(names), dtype=np.int64)
    return ImageSplit(Path(folder), names, labels, ["pair"], ShardPictures(shards, content)), captions
