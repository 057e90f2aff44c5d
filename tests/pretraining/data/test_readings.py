"""What is read of pairs beside images, sample by sample and as part of a batch."""

import pickle

import pytest
import torch

from common.configs import CONFIGS
from common.errors import UserError
from pretraining.data.readings import Reading, SynsetLabels, TextTokens
from pretraining.data.shards import pair_splits, raw_samples
from pretraining.labels.sidecars import read_facts, sidecar_path
from pretraining.labels.vocabulary import Vocabulary
from pretraining.recipe import fingerprint, load_recipe


def samples_of(shard):
    return list(raw_samples([shard], lambda error: False))


def test_labels_are_pairs_of_row_and_class(pairs):
    reading = SynsetLabels(pairs, {})
    (shard, *_), _ = pair_splits(pairs)
    items = [reading.read(sample, "") for sample in samples_of(shard)[:4]]
    fields = reading.collate([items[0], (), items[1]])
    names = Vocabulary.load(pairs / "vocabulary.csv").names
    assert fields["label_rows"].tolist() == [0] * len(items[0]) + [2] * len(items[1])
    assert fields["label_classes"].tolist() == [*items[0], *items[1]]
    assert {names[index] for index in items[0]} == {"dog.n.01", "number.n.01"}
    assert {fields[name].dtype for name in fields} == {torch.int64}
    empty = reading.collate([reading.blank] * 2)
    assert empty["label_rows"].numel() == empty["label_classes"].numel() == 0


def test_what_the_data_decide_of_the_classifier(pairs):
    reading = SynsetLabels(pairs, {})
    train, _ = pair_splits(pairs)
    assert reading.found["num_captions"] == 96
    assert reading.found["class_counts"] == list(Vocabulary.load(pairs / "vocabulary.csv").counts)
    seconds = [read_facts(sidecar_path(shard))["seconds"] for shard in train]
    assert reading.labelling_seconds == pytest.approx(sum(seconds))


def test_a_sample_without_a_label_is_not_used(pairs):
    (shard, *_), _ = pair_splits(pairs)
    sample = {**samples_of(shard)[0], "__key__": "unheard of"}
    with pytest.raises(ValueError, match="no label"):
        SynsetLabels(pairs, {}).read(sample, "")


def test_data_that_are_not_labelled_are_refused_before_training(pairs):
    sidecar_path(pairs / "val" / "00000.tar").unlink()
    with pytest.raises(UserError, match=rf"run `python run_suite\.py label {pairs}/val`"):
        SynsetLabels(pairs, {})


def test_what_is_saved_with_a_checkpoint(pairs, tmp_path):
    SynsetLabels(pairs, {}).save(tmp_path)
    assert (tmp_path / "vocabulary.csv").read_bytes() == (pairs / "vocabulary.csv").read_bytes()


def test_captions_become_tokens(pairs):
    reading = TextTokens(pairs, {"context_length": 6})
    text = reading.collate([reading.read({}, "a dog"), reading.blank])["text"]
    assert text.shape == (2, 6) and text.dtype == torch.int64
    assert text[0].count_nonzero() == 4 and text[1].count_nonzero() == 2  # with start and end
    assert TextTokens(pairs, {}).collate(["x"])["text"].shape == (1, 77)


def test_readings_travel_to_other_processes(pairs):
    for kind in (Reading, SynsetLabels, TextTokens):
        reading = kind(pairs, {})
        copy = pickle.loads(pickle.dumps(reading))
        fields, expected = (made.collate([made.blank] * 2) for made in (copy, reading))
        assert fields.keys() == expected.keys()
        assert all(torch.equal(fields[name], expected[name]) for name in fields)


def test_labels_may_be_in_a_folder_of_their_own(pairs, tmp_path):
    beside = SynsetLabels(pairs, {})
    labels = tmp_path / "labels"
    for file in [*pairs.rglob("*.parquet"), pairs / "vocabulary.csv"]:
        target = labels / file.relative_to(pairs)
        target.parent.mkdir(parents=True, exist_ok=True)
        file.rename(target)
    with pytest.raises(UserError, match="is missing"):
        SynsetLabels(pairs, {})
    apart = SynsetLabels(pairs, {}, labels)
    assert apart.vocabulary == beside.vocabulary and apart.found == beside.found
    train, _ = pair_splits(pairs)
    samples = [sample for shard in train for sample in samples_of(shard)]
    assert any(apart.read(sample, "") for sample in samples)
    recipe = load_recipe(CONFIGS / "pretraining" / "demo_catlip.py")
    assert fingerprint(recipe, pairs, labels) != fingerprint(recipe, pairs)


def test_a_recipe_may_leave_out_what_is_rare_for_it(pairs):
    everything = SynsetLabels(pairs, {}).vocabulary
    least = everything.counts[len(everything) // 2] + 1
    common = SynsetLabels(pairs, {"min_count": least})
    assert common.vocabulary == everything.cut(least) and len(common.vocabulary) < len(everything)
    assert common.found["class_counts"] == [count for count in everything.counts if count >= least]
