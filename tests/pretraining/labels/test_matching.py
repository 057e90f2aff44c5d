"""From labels to synsets to classes, and the lists that labels come from."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from common.errors import UserError
from pretraining.labels.label_lists import read_labels
from pretraining.labels.matching import (
    NearestClass,
    kinds_of_labels,
    label_similarities,
    match_labels,
    synsets_of_label,
)
from pretraining.labels.synsets import Lexicon
from pretraining.labels.vocabulary import Vocabulary

lexicon = Lexicon.load()


def vocabulary_of(*names: str) -> Vocabulary:
    return Vocabulary.of_counts({lexicon.offset(name): len(names) - i for i, name in enumerate(names)})


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("dog", ["dog.n.01"]),
        ("Dogs", ["dog.n.01"]),
        ("n02084071", ["dog.n.01"]),
        ("n2084071", ["dog.n.01"]),
        ("n00001740", ["entity.n.01"]),
        ("n1740", ["entity.n.01"]),
        ("dog.n.03", ["dog.n.03"]),
        ("couch", ["sofa.n.01"]),  # of its first sense another lemma is the head
        ("fire hydrant", ["fireplug.n.01"]),
        ("fire_hydrant", ["fireplug.n.01"]),
        ("Traffic Light", ["traffic_light.n.01"]),
        ("cell phone", ["cellular_telephone.n.01"]),  # WordNet has "cellphone"
        ("t shirt", ["jersey.n.03"]),  # WordNet has "t-shirt"
        ("potted plant", ["plant.n.01"]),
        ("stop sign", ["stop.n.01", "sign.n.01"]),
        ("restaurant kitchen", ["restaurant.n.01", "kitchen.n.01"]),
        ("swimming pool dining table", ["swimming_pool.n.01", "dining_table.n.01"]),  # longest parts first
        ("dog in a house", ["dog.n.01", "house.n.01"]),
        ("dog dog", ["dog.n.01"]),
        ("bed ", ["bed.n.01"]),  # as MMSegmentation has it
        ("bed;", ["bed.n.01"]),
        ("wall", ["wall.n.01"]),
        ("door;double door", ["door.n.01"]),
        ("double qwert door;door", ["door.n.01"]),  # whole names go before parts of names
        ("qwert, asdf, dog", ["dog.n.01"]),
        ("crane (machine)", ["crane.n.01"]),
        ("/a/airport_terminal", ["air_terminal.n.01"]),
        ("/r/restaurant_kitchen", ["restaurant.n.01", "kitchen.n.01"]),
        ("/b/bow_window/indoor", ["bay_window.n.02"]),
        ("/d/desert/sand", ["desert.n.01"]),
        ("qwert", []),
        ("the of", []),
        ("", []),
        (";,", []),
        ("狗", []),
    ],
)
def test_synsets_of_labels(label: str, expected: list[str]) -> None:
    assert [lexicon.name(offset) for _, offset in synsets_of_label(label)] == expected


def test_the_part_of_a_label_that_names_a_synset() -> None:
    assert [phrase for phrase, _ in synsets_of_label("/r/restaurant_kitchen")] == ["restaurant", "kitchen"]
    assert synsets_of_label("Double_Qwert;Fire_Hydrant")[0][0] == "fire hydrant"


@pytest.mark.parametrize("label", ["n02084072", "n99999999", "dog.n.99", "dogg.n.01"])
def test_ids_that_wordnet_does_not_have(label: str) -> None:
    with pytest.raises(UserError, match=rf"{label} is no noun synset of WordNet 3\.0"):
        synsets_of_label(label)


def test_the_nearest_class_is_the_one_of_highest_path_similarity() -> None:
    generator = random.Random(0)
    for size in (1, 2, 10, 60, 200):
        synsets = generator.sample(lexicon.offsets, size)
        vocabulary = Vocabulary.of_counts({synset: size - i for i, synset in enumerate(synsets)})
        nearest = NearestClass(vocabulary)
        for synset in [*generator.sample(lexicon.offsets, 25), synsets[0], 1740]:
            similarities = [lexicon.path_similarity(synset, other) for other in synsets]
            best = max(similarities)
            assert nearest(synset) == (similarities.index(best), best)


def test_rows_of_matches() -> None:
    vocabulary = vocabulary_of("canine.n.02", "kitchen.n.01", "dog.n.01", "domestic_animal.n.01")
    labels = ["dog", "puppy", "restaurant kitchen", "poodle", "qwert"]
    rows = match_labels(labels, vocabulary, alpha=0.5)
    assert [
        (row.target, row.phrase, row.name, row.class_name, row.class_index, row.kind) for row in rows
    ] == [
        (0, "dog", "dog.n.01", "dog.n.01", 2, "exact"),
        (1, "puppy", "puppy.n.01", "dog.n.01", 2, "similar"),
        (2, "restaurant", "restaurant.n.01", "kitchen.n.01", None, "outside"),
        (2, "kitchen", "kitchen.n.01", "kitchen.n.01", 1, "exact"),
        (3, "poodle", "poodle.n.01", "dog.n.01", 2, "similar"),
        (4, "", None, None, None, "unknown"),
    ]
    assert [row.similarity for row in rows[:2]] == [1.0, 0.5] and rows[-1].similarity == 0
    assert [row.label for row in rows] == [labels[row.target] for row in rows]
    assert kinds_of_labels(rows) == {"exact": 1, "similar": 2, "in part": 1, "none": 1}
    assert label_similarities(rows) == [1.0, 0.5, rows[2].similarity, 0.5, 0.0]
    strict = match_labels(labels, vocabulary, alpha=1)
    assert [row.kind for row in strict] == ["exact", "outside", "outside", "exact", "outside", "unknown"]
    assert label_similarities(strict) == label_similarities(rows)  # alpha decides, it does not measure


def test_equally_near_classes_go_to_the_commoner() -> None:
    for names in (["canine.n.02", "domestic_animal.n.01"], ["domestic_animal.n.01", "canine.n.02"]):
        (row,) = match_labels(["dog"], vocabulary_of("kitchen.n.01", *names), 0.5)
        assert (row.class_index, row.class_name) == (1, names[0])


def test_labels_of_the_same_name_stay_apart() -> None:
    rows = match_labels(["crane", "crane"], vocabulary_of("crane.n.01"), 1)
    assert [row.target for row in rows] == [0, 1] and kinds_of_labels(rows)["exact"] == 2


@pytest.mark.parametrize("alpha", [0, -1, 1.01, float("nan")])
def test_alpha_out_of_range(alpha: float) -> None:
    with pytest.raises(UserError, match="path similarity is above 0 and at most 1"):
        match_labels(["dog"], vocabulary_of("dog.n.01"), alpha)


def test_imagenet_names_are_synsets() -> None:
    labels = read_labels("imagenet1k")
    assert len(labels) == 1000 and labels[0] == "n01440764"
    assert all(synsets_of_label(label) for label in labels)


def test_lists_of_the_dense_data_sets() -> None:
    coco, ade20k = read_labels("coco"), read_labels("ade20k")
    assert (len(coco), len(ade20k)) == (80, 150)
    known = [sum(bool(synsets_of_label(label)) for label in labels) for labels in (coco, ade20k)]
    assert known == [80, 150]


def test_lists_in_files(tmp_path: Path) -> None:
    def file(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    assert read_labels(file("a.txt", "dog\nfire hydrant\ncafé\n\n")) == ["dog", "fire hydrant", "café"]
    places = "/a/airfield 0\n/b/bow_window/indoor 1\n"
    assert read_labels(file("categories_places365.txt", places)) == ["/a/airfield", "/b/bow_window/indoor"]
    assert read_labels(file("classes.csv", "index,name\n0,other\n1,dog\n2,bed\n")) == ["dog", "bed"]
    assert read_labels(file("v.csv", "synset,name,count\n2084071,dog.n.01,3\n")) == ["dog.n.01"]
    categories = {"images": [], "categories": [{"id": 7, "name": "dog"}, {"id": 2, "name": "cat"}]}
    assert read_labels(file("coco.json", json.dumps(categories))) == ["dog", "cat"]


def test_lists_in_folders(tmp_path: Path) -> None:
    for name in ("train/n02084071", "train/n02121620", "train/.cache", "val/n02084071"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "train" / "notes.txt").touch()
    expected = ["n02084071", "n02121620"]
    assert read_labels(str(tmp_path)) == read_labels(str(tmp_path / "train")) == expected


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("a.txt", b"", "holds no label"),
        ("a.txt", b"dog\n\ncat\n", "label 1 .* is empty"),
        ("a.txt", b"\xff\xfe", "cannot be read as labels"),
        ("a.csv", b"class\ndog\n", "cannot be read as labels"),
        ("a.csv", b"name\n", "holds no label"),
        ("a.csv", b"index,name\n1\n", "is empty or no text"),
        ("a.json", b"{", "cannot be read as labels"),
        ("a.json", b"[]", "cannot be read as labels"),
        ("a.json", b'{"categories": [{"name": 3}]}', "is empty or no text"),
    ],
)
def test_bad_lists(tmp_path: Path, name: str, data: bytes, problem: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=problem) as raised:
        read_labels(str(tmp_path / name))
    assert str(tmp_path / name) in str(raised.value) and "\n" not in str(raised.value)


def test_lists_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no labels called cocoo: give imagenet1k, coco, ade20k"):
        read_labels("cocoo")
    with pytest.raises(UserError, match="holds no label"):
        read_labels(str(tmp_path))
