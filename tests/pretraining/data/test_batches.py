"""Validation batches: fixed and full."""

import io
import tarfile

import pytest
import torch

from common.errors import UserError
from pretraining.data.augment import eval_transform
from pretraining.data.batches import BatchMaker, ValidationBatches
from pretraining.data.shards import pair_splits


def test_validation_batches_are_fixed_and_full(pairs):
    _, shards = pair_splits(pairs)
    batches = ValidationBatches(shards, BatchMaker(eval_transform(32)), batch_size=6)
    assert [len(b.captions) for b in (batches[i] for i in range(len(batches)))] == [6, 6]
    assert torch.equal(batches[0].images, batches[0].images)
    with pytest.raises(UserError, match="do not fill one batch of 64"):
        ValidationBatches(shards, BatchMaker(eval_transform(32)), batch_size=64)


def test_a_bad_sample_of_a_validation_batch_is_told_and_its_place_filled(pairs, caplog):
    _, (shard,) = pair_splits(pairs)
    good = ValidationBatches([shard], BatchMaker(eval_transform(32)), batch_size=8)[0]
    with tarfile.open(shard) as tar:
        members = [(m.name, tar.extractfile(m).read()) for m in tar]
    with tarfile.open(shard, "w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            data = b"" if name == "001002.png" else data
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    batch = ValidationBatches([shard], BatchMaker(eval_transform(32)), batch_size=8)[0]
    assert batch.captions == [*good.captions[:2], *good.captions[3:], good.captions[-1]]
    assert "001002" in caplog.text
