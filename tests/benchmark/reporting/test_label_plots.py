"""Plots of mined labels: the numbers beside them, and that the pictures are there."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from benchmark.reporting import label_plots
from pretraining.labels.matching import match_labels
from pretraining.labels.synsets import Lexicon
from pretraining.labels.vocabulary import Vocabulary

COUNTS = {"dog.n.01": 900, "cat.n.01": 500, "tree.n.01": 500, "house.n.01": 100, "bird.n.01": 1}
COUNTED = Vocabulary.of_counts({Lexicon.load().offset(name): count for name, count in COUNTS.items()})


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_size_against_threshold_is_that_of_a_vocabulary_cut_there() -> None:
    lines = label_plots.sizes(COUNTED)
    assert [tuple(line.values()) for line in lines] == [(0, 5), (1, 4), (100, 3), (500, 1), (900, 0)]
    for line in lines[:-1]:
        assert len(COUNTED.cut(min_count=line["v_tau"] + 1)) == line["size"]


def test_coverage_falls_with_the_similarity_and_takes_the_worst_of_a_labels_synsets() -> None:
    animals = match_labels(["dog", "puppy", "qwert"], COUNTED, 0.5)
    rooms = match_labels(["dog house qwert", "dog puppy"], COUNTED, 1.0)
    lines = label_plots.coverage({"animals": animals, "rooms": rooms})
    covered = {(line["target"], line["steps"]): line["covered"] for line in lines}
    assert [covered["animals", steps] for steps in (0, 1, label_plots.STEPS)] == [1, 2, 2]
    assert [line["similarity"] for line in lines[:3]] == [1, 1 / 2, 1 / 3]
    assert covered["rooms", 0] < covered["rooms", label_plots.STEPS] == 2
    assert {line["labels"] for line in lines} == {3, 2}


def test_every_plot_has_its_numbers_beside_it(tmp_path: Path) -> None:
    files = label_plots.write_corpus_plots(COUNTED, [3, 4, 0, 1], tmp_path)
    files += label_plots.write_coverage_plot({"a $b": match_labels(["dog"], COUNTED, 1)}, tmp_path)
    assert len(files) == 16 and sorted(files) == sorted(tmp_path.iterdir())
    for path in files:
        if path.suffix == ".png":
            assert path.read_bytes().startswith(b"\x89PNG") and path.with_suffix(".csv") in files
    assert [row["captions"] for row in read(tmp_path / "labels_per_caption.csv")] == ["3", "4", "0", "1"]
    assert [row["count"] for row in read(tmp_path / "synset_frequency.csv")] == [
        str(count) for count in COUNTS.values()
    ]
    assert read(tmp_path / "label_coverage.csv")[0]["target"] == "a $b"


@pytest.mark.parametrize("counts", [[7], [1, 1], [3, 0]])
def test_smallest_vocabularies_can_be_drawn(tmp_path: Path, counts: list[int]) -> None:
    vocabulary = Vocabulary(COUNTED.synsets[: len(counts)], COUNTED.names[: len(counts)], tuple(counts))
    assert len(label_plots.write_corpus_plots(vocabulary, None, tmp_path)) == 8
