"""Parts of labelled images: shares of every class, which nest."""

import itertools

import numpy as np
import pytest

from benchmark.data.images import ImageSplit
from benchmark.data.subsets import fraction, shots


@pytest.fixture
def images(tmp_path):
    labels = np.repeat([0, 1, 2], [100, 40, 3])
    return ImageSplit(tmp_path, [f"{i}.png" for i in range(143)], labels, ["a", "b", "c"])


def test_a_fraction_is_of_every_class_and_never_none_of_it(images):
    assert np.bincount(fraction(images, 0.1).labels).tolist() == [10, 4, 1]
    assert fraction(images, 1.0) is images
    some = fraction(images, 0.05, draw=3)
    assert some.paths != fraction(images, 0.05, draw=4).paths
    assert some.paths == fraction(images, 0.05, draw=3).paths and some.root == images.root


@pytest.mark.parametrize("draw", range(3))
def test_what_a_smaller_part_holds_a_larger_one_holds_too(images, draw):
    parts = [set(fraction(images, share, draw).paths) for share in (0.01, 0.05, 0.1, 0.25, 0.5, 1.0)]
    assert all(small <= large for small, large in itertools.pairwise(parts))
    few = [set(shots(images, number, draw).paths) for number in (1, 2, 4, 8)]
    assert all(small <= large for small, large in itertools.pairwise(few))
    assert few[0] <= parts[1]  # of one order


def test_shots_are_all_of_a_class_that_has_fewer(images):
    assert np.bincount(shots(images, 4).labels).tolist() == [4, 4, 3]
    part = shots(images.subset(np.arange(100)), 2)  # a class of the training split that is not here
    assert np.bincount(part.labels, minlength=3).tolist() == [2, 0, 0]
