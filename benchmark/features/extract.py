"""Frozen features: pictures read and prepared for a backbone, and what it makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from backbones.adapt import calibrate_norms, norms_without_statistics
from backbones.vit import Preprocessing, Tokens, ViT
from benchmark.data.images import ImageSplit
from common.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

KINDS = ("class_token", "patch_mean", "last_blocks")
"""``patch_mean`` is the mean of the patch tokens; ``last_blocks`` the class tokens (without one: the mean of
all tokens) of the last four blocks, each behind the final norm, side by side, as DINOv2 probes them."""
LAST_BLOCKS = 4

CALIBRATION_IMAGES, CALIBRATION_BATCH = 4096, 128
"""How many training images BatchNorm's statistics are taken from, and how many at a time."""


@torch.inference_mode()
def extract(
    vit: ViT,
    images: ImageSplit,
    kinds: Sequence[str],
    report: Callable[[int], None],
    device: str = "cpu",
    batch_size: int = 256,
    workers: int = 2,
) -> dict[str, Tensor]:
    """Frozen features of some kinds from one pass: kind -> [N, D] float32 on the CPU, in the images' order.

    Args:
        kinds: of `KINDS`.
        report: told how many images are done.
        batch_size, workers: of reading and encoding; no influence on the result beyond rounding.

    Raises:
        UserError: an image cannot be read.
        FloatingPointError: a feature is not finite.
    """
    vit.eval()
    found: dict[str, list[Tensor]] = {kind: [] for kind in kinds}
    done = 0
    with _last_blocks(vit if "last_blocks" in kinds else None) as last:
        for pixels, indices in batches(images, vit.preprocessing, batch_size, workers):
            tokens = vit(pixels.to(device, non_blocking=True))
            for kind, rows in found.items():
                part = _part(kind, tokens, vit, last).float()
                finite = torch.isfinite(part).all(1)
                if not finite.all():
                    path = images.paths[indices[(~finite).nonzero()[0, 0].cpu()]]
                    raise FloatingPointError(f"the backbone's features of {path} are not finite")
                rows.append(part.cpu())
            done += len(indices)
            report(done)
    return {kind: torch.cat(rows) for kind, rows in found.items()}


def _part(kind: str, tokens: Tokens, vit: ViT, last: list[Tensor]) -> Tensor:
    if kind == "class_token":
        return tokens.class_token
    if kind == "patch_mean":
        return tokens.patches.mean((2, 3))
    normed = [vit.trunk.norm(block) for block in last]
    return torch.cat([block[:, 0] if vit.trunk.has_class_token else block.mean(1) for block in normed], dim=1)


@contextmanager
def _last_blocks(vit: ViT | None) -> Iterator[list[Tensor]]:
    """The output of the last blocks in the last forward pass."""
    outputs: list[Tensor] = []
    if vit is None:
        yield outputs
        return
    blocks = vit.trunk.blocks[-LAST_BLOCKS:]

    def keep(block: nn.Module, inputs: object, output: Tensor) -> None:
        if block is blocks[0]:
            outputs.clear()
        outputs.append(output)

    hooks = [block.register_forward_hook(keep) for block in blocks]
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()


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
