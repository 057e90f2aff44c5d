"""How well images of one class find each other: mean average precision, recall at the first places."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

CHUNK = 512
"""Queries that are looked at at once."""


def average_precisions(
    features: Tensor, labels: Tensor, places: tuple[int, ...] = (1, 5)
) -> tuple[Tensor, dict[int, Tensor], Tensor]:
    """Each image is a query, all others are the gallery, those of its class are relevant; cosine similarity.

    Args:
        features: [N, D], on any device.
        labels: [N] int64, on the same.
        places: of recall.

    Returns:
        Average precision [N], NaN for an image that is alone in its class (nothing is there to be found);
        per number of places [N] bool, whether a relevant image is among so many first; and the images in as
        many places as the most of these, the nearest first, [N, most].
    """
    features = normalize(features.float(), dim=1)
    scores, hits, nearest = [], {place: [] for place in places}, []
    for start in range(0, len(features), CHUNK):
        rows = torch.arange(start, min(start + CHUNK, len(features)), device=features.device)
        similarity = features[rows] @ features.T
        similarity[torch.arange(len(rows), device=rows.device), rows] = -torch.inf  # the query itself
        order = similarity.sort(dim=1, descending=True, stable=True).indices[:, :-1]
        relevant = labels[order] == labels[rows, None]
        precision = relevant.cumsum(1) / torch.arange(1, order.shape[1] + 1, device=rows.device)
        scores.append((precision * relevant).sum(1) / relevant.sum(1))  # 0 / 0 is NaN
        for place in places:
            hits[place].append(relevant[:, :place].any(1))
        nearest.append(order[:, : max(places)])
    return torch.cat(scores), {place: torch.cat(found) for place, found in hits.items()}, torch.cat(nearest)
