"""Nearest neighbours against scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from benchmark.heads import knn


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(90) % 4
    centres = torch.randn(4, 6, generator=generator)
    features = centres[labels] + torch.randn(90, 6, generator=generator)
    return features[:70], labels[:70], features[70:]


@pytest.mark.parametrize(("k", "chunk", "parts"), [(1, 1024, (70,)), (5, 3, (70,)), (20, 7, (1, 30, 39))])
def test_neighbours_and_votes_are_scikit_learns(data, monkeypatch, k, chunk, parts):
    monkeypatch.setattr(knn, "CHUNK", chunk)
    train, labels, queries = data
    similarity, index = knn.neighbours(list(train.split(parts)), queries, k)
    theirs = KNeighborsClassifier(k, metric="cosine", algorithm="brute").fit(train.numpy(), labels.numpy())
    distance, place = theirs.kneighbors(queries.numpy())
    np.testing.assert_allclose(1 - similarity.numpy(), distance, atol=1e-5)
    assert index.numpy().tolist() == place.tolist()
    shares = knn.vote(similarity, labels[index], 4)
    np.testing.assert_allclose(shares.numpy(), theirs.predict_proba(queries.numpy()), atol=1e-12)


def test_nearer_neighbours_have_more_of_a_say():
    similarity, labels = torch.tensor([[0.9, 0.5, 0.5]]), torch.tensor([[1, 0, 0]])
    assert knn.vote(similarity, labels, 3).argmax().item() == 0
    shares = knn.vote(similarity, labels, 3, temperature=0.07)
    assert shares.argmax().item() == 1 and shares.sum().item() == pytest.approx(1)


def test_of_equally_near_ones_the_earlier_comes_first():
    train = torch.ones(4, 2)
    assert knn.neighbours([train[:2], train[2:]], torch.ones(1, 2), 3)[1].tolist() == [[0, 1, 2]]
