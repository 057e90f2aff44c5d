"""Frozen features: pictures read and prepared for a backbone, and what it makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from backbones.adapt import calibrate_norms, norms_without_statistics
from backbones.vit import Preprocessing, ViT
from benchmark.data.images import ImageSplit
from common.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

    from benchmark.tasks.base import TaskContext
    from common.progress import Report

Feature = Literal["class_token", "patch_mean", "both"]
"""``patch_mean`` is the mean of the patch tokens; ``both`` puts it after the class token."""

DOUBLED = 50_000_000
"""Numbers (images x width) up to which features on the CPU are float64, in which a solver gets further."""
CALIBRATION_IMAGES, CALIBRATION_BATCH = 4096, 128
"""How many training images BatchNorm's statistics are taken from, and how many at a time."""


class FrozenFeatures:
    """What a cell's backbone makes of images, without being trained: all that such tasks ask of a backbone.

    Args:
        context: the cell.
        train: the training images, from which BatchNorms without statistics (random weights) take them.
        batch_size, workers: of reading and encoding; no influence on the result beyond rounding.
    """

    def __init__(self, context: TaskContext, train: ImageSplit, batch_size: int, workers: int) -> None:
        self._context = context
        self._reading = (context.device, batch_size, workers)
        self.vit = context.load_backbone().to(context.device)
        calibrate(self.vit, train, workers, context.device)

    def of(self, images: ImageSplit, stage: str, feature: Feature = "class_token") -> Tensor:
        """Features [N, D] (2 D for ``both``) on the cell's device, in the order of the images; see `extract`.

        Args:
            stage: what the images are called in the report of progress, for instance ``train``.
        """
        return extract(
            self.vit, images, feature, self._context.report, f"features of {stage}", *self._reading
        )


@torch.inference_mode()
def extract(
    vit: torch.nn.Module,
    images: ImageSplit,
    feature: Feature,
    report: Report,
    stage: str,
    device: str = "cpu",
    batch_size: int = 256,
    workers: int = 2,
) -> Tensor:
    """Frozen features [N, D] (2 D for ``both``) on `device`, in the order of the images.

    Args:
        stage: what `report` calls it.
        batch_size, workers: of reading and encoding; no influence on the result beyond rounding.

    Returns:
        float64 for a small problem on the CPU (`DOUBLED`), else float32.

    Raises:
        UserError: an image cannot be read.
        FloatingPointError: a feature is not finite.
    """
    vit.eval()
    features, done = [], 0
    for pixels, indices in batches(images, vit.preprocessing, batch_size, workers):
        tokens = vit(pixels.to(device, non_blocking=True))
        parts = {"class_token": tokens.class_token, "patch_mean": tokens.patches.mean((2, 3))}
        used = parts.values() if feature == "both" else [parts[feature]]
        batch = torch.cat([part.float() for part in used], dim=1)
        finite = torch.isfinite(batch).all(1)
        if not finite.all():
            path = images.paths[indices[(~finite).nonzero()[0, 0].cpu()]]
            raise FloatingPointError(f"the backbone's features of {path} are not finite")
        features.append(batch)
        done += len(batch)
        report(stage, done, len(images))
    stacked = torch.cat(features)
    return stacked.double() if device == "cpu" and stacked.numel() <= DOUBLED else stacked


def calibrate(vit: ViT, train: ImageSplit, workers: int = 2, device: str = "cpu") -> None:
    """Give BatchNorms that have no statistics (random weights) those of training images, evenly chosen.

    Raises:
        UserError: an image cannot be read.
    """
    if norms_without_statistics(vit):
        some = np.linspace(0, len(train) - 1, min(len(train), CALIBRATION_IMAGES)).round().astype(int)
        # Images come class by class, and a batch of one class would hide how classes differ. The size of the
        # batches has a say, too, so that it is nobody's to choose.
        some = np.random.default_rng(0).permutation(some)
        read = batches(train.subset(some), vit.preprocessing, CALIBRATION_BATCH, workers)
        calibrate_norms(vit, (pixels.to(device) for pixels, _ in read))


def batches(
    images: ImageSplit, preprocessing: Preprocessing, batch_size: int, workers: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Read images in order: (pixels [B, 3, size, size] prepared for the backbone, indices [B]).

    The short side (both, where `resize_mode` is squash) is resized to size / crop_pct, the centre is cut out;
    no augmentation.

    Raises:
        UserError: an image cannot be read; the message names it.
    """
    loader = DataLoader(
        _Images(images, _transform(preprocessing)),
        batch_size=batch_size,
        num_workers=min(workers, len(images) // batch_size),
        collate_fn=_collate,
        pin_memory=torch.cuda.is_available(),
    )
    for pixels, indices, error in loader:
        if error:
            raise UserError(error)
        yield pixels, indices


def _transform(preprocessing: Preprocessing) -> Callable[[Image], Tensor]:
    # Not timm's create_transform: it resizes by Pillow, which rounds to other grey levels than torch here and
    # there, and rounds size / crop_pct down; features would change.
    size, mode = preprocessing.size, v2.InterpolationMode(preprocessing.interpolation)
    edge = round(size / preprocessing.crop_pct)
    return v2.Compose(
        [
            v2.PILToTensor(),
            v2.Resize(
                (edge, edge) if preprocessing.resize_mode == "squash" else edge,
                interpolation=mode,
                antialias=True,
            ),
            v2.CenterCrop(size),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(list(preprocessing.mean), list(preprocessing.std)),
        ]
    )


class _Images:
    """Map-style data set. A broken image is returned as a message: exceptions lose their class in workers."""

    def __init__(self, images: ImageSplit, transform: Callable[[Image], Tensor]) -> None:
        self.images = images
        self.transform = transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor | None, int, str | None]:
        try:
            picture = self.images.image(index)
        except UserError as error:
            return None, index, str(error)
        return self.transform(picture), index, None


def _collate(items: list[tuple[Tensor | None, int, str | None]]) -> tuple[Tensor | None, ...]:
    if errors := [error for _, _, error in items if error]:
        return None, None, errors[0]
    return torch.stack([pixels for pixels, _, _ in items]), torch.tensor([i for _, i, _ in items]), None
