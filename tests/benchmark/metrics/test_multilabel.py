"""Mean average precision of images that show several classes, against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from benchmark.metrics import multilabel


@pytest.fixture(params=[0, 1])
def scored(request):
    """Labels and scores of 200 images and 7 classes; in the second, many scores are equal."""
    generator = np.random.default_rng(request.param)
    labels = generator.random((200, 7)) < np.linspace(0.05, 0.6, 7)
    scores = labels + generator.normal(0, 1, labels.shape)
    return labels, scores if request.param == 0 else scores.round()


SAME = list(zip(multilabel.AVERAGES, ("macro", "micro", "weighted"), strict=True))
"""Name of an average here and at scikit-learn."""


@pytest.mark.parametrize(("name", "average"), SAME)
def test_the_averages_are_scikit_learns(scored, name, average):
    labels, scores = scored
    expected = average_precision_score(labels, scores, average=average)
    assert multilabel.averages(labels, scores)[name][0] == pytest.approx(expected, abs=1e-9)
    assert multilabel.measure(labels, scores, 20)[name].value == pytest.approx(100 * expected, abs=1e-9)


def test_weights_are_images_that_come_several_times(scored):
    labels, scores = scored
    weights = np.random.default_rng(3).integers(0, 4, (5, 200)).astype(float)
    found = multilabel.averages(labels, scores, weights)
    for row, counts in enumerate(weights.astype(int)):
        rows = np.repeat(np.arange(200), counts)
        for name, average in SAME:
            expected = average_precision_score(labels[rows], scores[rows], average=average)
            assert found[name][row] == pytest.approx(expected, abs=1e-9)


def test_chunks_do_not_matter(scored, monkeypatch):
    whole = multilabel.measure(*scored, 30)
    monkeypatch.setattr(multilabel, "CHUNK", 1)
    for name, metric in multilabel.measure(*scored, 30).items():
        assert (metric.low, metric.high) == pytest.approx((whole[name].low, whole[name].high), abs=1e-9)


def test_classes_that_nobody_shows_count_in_no_average(scored):
    labels, scores = scored
    more = np.concatenate([labels, np.zeros((200, 1), bool)], axis=1)
    wider = np.concatenate([scores, np.full((200, 1), -99.0)], axis=1)
    for name in ("mAP", "mAP_weighted"):
        found, expected = multilabel.averages(more, wider), multilabel.averages(labels, scores)
        assert found[name] == pytest.approx(expected[name], abs=1e-12)
    with pytest.raises(ValueError, match="no image shows any class"):
        multilabel.measure(np.zeros((3, 2), bool), np.zeros((3, 2)))


def test_the_interval_is_around_the_value_and_says_of_what(scored):
    for metric in multilabel.measure(*scored, 200).values():
        assert metric.low < metric.value - metric.bias < metric.high and metric.high - metric.low < 20
        assert metric.truth == "population of images" and metric.n == 200
