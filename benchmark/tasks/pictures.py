"""Labelled images as MMEngine's Runner reads them, and what a model says of them as it keeps that."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.registry import DATASETS, METRICS
from timm.data import create_transform
from torch.utils.data import Dataset

from benchmark.data.images import ImageSplit
from benchmark.tasks.splits import TrainingSplits, split_images
from common.errors import UserError
from common.files import replacing

Part = Literal["train", "val", "test"]


@lru_cache(maxsize=2)
def parts(root: str, splits: str, seed: int, several: bool) -> dict[str, ImageSplit]:
    """Training, validation and test images; of a folder that was listed already, what was found then.

    Args:
        root: the data.
        splits: a `TrainingSplits` as JSON.
        seed: of what is held out.
        several: an image may show several classes.
    """
    settings = TrainingSplits.model_validate_json(splits)
    found = split_images(Path(root), settings, seed, several)
    return dict(zip(("train", "val", "test"), found, strict=True))


@DATASETS.register_module()
class LabelledPictures(Dataset):
    """Pictures and labels of one part of a task's data.

    Args:
        data_root, splits, seed, several: see `parts`; the task fills them in.
        part: which.
        transform: arguments of `timm.data.create_transform`, ``input_size`` among them, for RGB in [0, 1].
            The part that is trained on is augmented, the others are resized and cut.
    """

    def __init__(
        self,
        data_root: str,
        splits: str,
        seed: int,
        several: bool,
        part: Part,
        transform: dict[str, Any],
    ) -> None:
        self.images = parts(data_root, splits, seed, several)[part]
        try:
            self.transform = create_transform(
                **{"is_training": part == "train", "mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
                | dict(transform)
            )
        except (TypeError, ValueError, AssertionError) as error:
            raise UserError(f"{part}_dataloader.dataset.transform: timm cannot make this ({error})") from None

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {
            "images": self.transform(self.images.image(index)),
            "labels": torch.as_tensor(self.images.labels[index]),
            "index": index,
        }


@METRICS.register_module()
class Logits(BaseMetric):
    """Keeps the logits of all images, in their order, in a file.

    Args:
        file: where to write; see `read_logits`.
    """

    def __init__(self, file: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.file = Path(file)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        self.results += [(sample["index"], sample["logits"].cpu().numpy()) for sample in data_samples]

    def compute_metrics(self, results: list) -> dict[str, float]:
        rows = dict(results)  # processes share images evenly: some are seen twice
        with replacing(self.file) as temporary, temporary.open("wb") as file:
            np.save(file, np.stack([rows[index] for index in range(len(rows))]))
        return {"images": float(len(rows))}


def read_logits(file: Path) -> np.ndarray:
    """What `Logits` wrote: [N, K] float32."""
    return np.load(file, allow_pickle=False)
