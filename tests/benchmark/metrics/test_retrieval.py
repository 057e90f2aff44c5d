"""Retrieval against scikit-learn's average precision."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from benchmark.metrics import retrieval


@pytest.mark.parametrize("chunk", [7, 512])
def test_it_is_the_average_precision_of_every_query(monkeypatch, chunk):
    monkeypatch.setattr(retrieval, "CHUNK", chunk)
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 5
    features = torch.randn(5, 8, generator=generator)[labels] + torch.randn(60, 8, generator=generator)
    found, hits, nearest = retrieval.average_precisions(features, labels)
    unit = (features / features.norm(dim=1, keepdim=True)).numpy()
    for query in range(60):
        others = np.arange(60) != query
        scores, relevant = unit[others] @ unit[query], (labels.numpy() == labels[query].item())[others]
        assert found[query].item() == pytest.approx(average_precision_score(relevant, scores), abs=1e-5)
        order = np.argsort(-scores)
        assert hits[1][query] == relevant[order[0]] and hits[5][query] == relevant[order[:5]].any()
        assert nearest[query].tolist() == np.flatnonzero(others)[order[:5]].tolist()


def test_who_is_alone_in_its_class_is_not_asked():
    features, labels = torch.eye(3), torch.tensor([0, 0, 1])
    found, hits, _ = retrieval.average_precisions(features, labels)
    assert found.isnan().tolist() == [False, False, True] and not hits[1][2]
