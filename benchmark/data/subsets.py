"""Parts of labelled images: a share held out, fractions that nest, a few of each class."""

from __future__ import annotations

import numpy as np

from benchmark.data.images import ImageSplit
from common.errors import UserError


def hold_out(images: ImageSplit, fraction: float, seed: int) -> tuple[ImageSplit, ImageSplit]:
    """Split off a share of every class, drawn by `seed`: (the rest, the share).

    Of images that may show several classes, a share of the images.

    Raises:
        UserError: a class is too small to give and keep at least one image.
    """
    if images.labels.ndim == 2:
        order = np.random.default_rng(seed).permutation(len(images))
        count = max(1, round(fraction * len(images)))
        if count >= len(images):
            raise UserError(f"{images.root} has {len(images)} training image only: there is none to hold out")
        return images.subset(np.sort(order[count:])), images.subset(np.sort(order[:count]))
    generator = np.random.default_rng(seed)
    held = []
    for label, name in enumerate(images.classes):
        members = np.flatnonzero(images.labels == label)
        if len(members) < 2:
            raise UserError(
                f"class {name!r} has one training image only: holding out needs at least two a class"
            )
        count = min(max(1, round(fraction * len(members))), len(members) - 1)
        held.append(generator.choice(members, count, replace=False))
    chosen = np.zeros(len(images), dtype=bool)
    chosen[np.concatenate(held)] = True
    return images.subset(np.flatnonzero(~chosen)), images.subset(np.flatnonzero(chosen))


def fraction(images: ImageSplit, share: float, draw: int = 0) -> ImageSplit:
    """A share of every class, at least one image of each; of images that may show several, of the images.

    Draws nest: what a smaller share holds, a larger one of the same `draw` holds too.

    Args:
        share: of each class, above 0 and at most 1.
        draw: which of the possible parts.
    """
    if share >= 1:
        return images
    if images.labels.ndim == 2:
        order = np.random.default_rng(draw).permutation(len(images))
        return images.subset(np.sort(order[: max(1, round(share * len(images)))]))
    counts = np.bincount(images.labels, minlength=len(images.classes))
    wanted = np.minimum(np.maximum(np.round(share * counts), 1), counts).astype(int)
    return images.subset(_first_of_each(images, wanted, draw))


def shots(images: ImageSplit, number: int, draw: int = 0) -> ImageSplit:
    """`number` images of every class (all of a class that has fewer); draws nest, as those of `fraction`."""
    return images.subset(_first_of_each(images, np.full(len(images.classes), number), draw))


def _first_of_each(images: ImageSplit, wanted: np.ndarray, draw: int) -> np.ndarray:
    """Indices, in order, of the first `wanted` [K] images of each class in an order that `draw` decides."""
    order = np.random.default_rng(draw).permutation(len(images))
    by_class = order[np.argsort(images.labels[order], kind="stable")]
    labels = images.labels[by_class]
    starts = np.searchsorted(labels, np.arange(len(images.classes)))
    rank = np.arange(len(images)) - starts[labels]
    return np.sort(by_class[rank < wanted[labels]])
