"""How labels agree with pictures: counted as the script says."""

from __future__ import annotations

import pytest
from calibration.label_agreement import agreement, samples_of

from benchmark.demo_data.spec import DemoSpec
from common.processes import Workers

SAMPLES = [
    ("a dog and a cat on the grass", ("dog", "cat"), "grass"),
    ("a dog, free download", ("dog",), "sand"),
    ("a cat", ("dog", "cat", "key"), "sand"),
    ("so pretty!", ("key",), "grass"),
]


def test_shares_by_hand():
    found = agreement(SAMPLES, min_count=1)
    assert found["captions"] == 4 and found["no label"] == 25.0
    # mined: dog, cat, grass; dog, free (a "download" is no noun of WordNet 3.0); cat; nothing
    assert found["labels per caption"] == 1.5
    assert found["precision"] == pytest.approx(100 * 5 / 6)
    assert found["precision, of labels that pictures can show"] == 100.0
    assert found["recall, objects"] == pytest.approx(100 * 4 / 7)
    assert found["recall, one object"] == 50.0
    assert found["recall, three or more"] == pytest.approx(100 / 3)
    assert found["recall, grounds"] == 25.0


def test_what_is_rare_is_no_label():
    found = agreement(SAMPLES, min_count=2)
    assert found["classes"] == 2 and found["recall, grounds"] == 0.0


def test_clean_captions_miss_nothing():
    with Workers(1) as workers:
        samples = samples_of(DemoSpec(pairs=60, captions="clean"), workers)
    found = agreement(samples, min_count=1)
    assert found["recall, objects"] == found["recall, grounds"] == 100.0
    assert found["precision, of labels that pictures can show"] == 100.0
