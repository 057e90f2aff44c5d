"""Nearest neighbours by cosine similarity."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

CHUNK = 1024
"""Queries that are looked at at once."""


def neighbours(
    train: Sequence[Tensor], queries: Tensor, count: int, device: str | torch.device = "cpu"
) -> tuple[Tensor, Tensor]:
    """The training images nearest to each query, the nearest first.

    Memory does not grow with the training images: they are read part by part, and the best so far are kept.

    Args:
        train: features [n, D] in parts.
        queries: features [Q, D].
        count: of neighbours.

    Returns:
        Cosine similarities [Q, count], and indices [Q, count] into the training images. Of equally near ones
        the earlier comes first.
    """
    best, found = [], []
    for chunk in queries.split(CHUNK):
        query = normalize(chunk.to(device, torch.float32), dim=1)
        similarity = torch.empty(len(chunk), 0, device=device)
        index = torch.empty(len(chunk), 0, dtype=torch.long, device=device)
        start = 0
        for rows in train:
            near = query @ normalize(rows.to(device, torch.float32), dim=1).T
            places = torch.arange(start, start + len(rows), device=device).expand(len(chunk), -1)
            similarity, index = torch.cat([similarity, near], 1), torch.cat([index, places], 1)
            order = similarity.sort(dim=1, descending=True, stable=True).indices[:, :count]
            similarity, index = similarity.gather(1, order), index.gather(1, order)
            start += len(rows)
        best.append(similarity.cpu())
        found.append(index.cpu())
    return torch.cat(best), torch.cat(found)


def vote(similarity: Tensor, labels: Tensor, classes: int, temperature: float | None = None) -> Tensor:
    """Shares of the classes among the neighbours of each query.

    Args:
        similarity: [Q, k].
        labels: [Q, k] int64, of the neighbours.
        classes: K.
        temperature: None: every neighbour has one vote. Else each has exp(similarity / temperature), as in
            DINO's evaluation (0.07).

    Returns:
        [Q, K] float64; each row sums to one.
    """
    weights = torch.ones_like(similarity) if temperature is None else (similarity / temperature).exp()
    votes = torch.zeros(len(labels), classes, dtype=torch.float64)
    votes.scatter_add_(1, labels, weights.double())
    return votes / votes.sum(1, keepdim=True)
