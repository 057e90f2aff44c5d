"""The stream of batches: the same every time, at every position, whatever is broken in the shards."""

import io
import tarfile
from collections import Counter
from itertools import islice

import pytest
import torch
from torch.utils.data import DataLoader

from common.errors import UserError
from pretraining.data.augment import eval_transform, train_transform
from pretraining.data.batches import BatchMaker, TrainStream, ValidationBatches
from pretraining.data.shards import pair_splits


def stream(root, start=0, **settings):
    maker = BatchMaker(train_transform(32), seed=0)
    made = TrainStream(pair_splits(root)[0], maker, 8, 100, shuffle_buffer=10, **settings)
    made.start = start
    return made


@pytest.mark.parametrize("workers", [0, 2, 3])
def test_a_stream_taken_up_later_goes_on_as_it_would_have(pairs, workers):
    whole = list(islice(DataLoader(stream(pairs), batch_size=None, num_workers=workers), 20))
    for start in (1, 5, 14):
        rest = list(islice(DataLoader(stream(pairs, start), batch_size=None, num_workers=workers), 6))
        for expected, batch in zip(whole[start:], rest, strict=False):
            assert batch.captions == expected.captions
            assert torch.equal(batch.images, expected.images)


def test_an_epoch_holds_every_pair_once_in_another_order(pairs):
    batches = list(islice(stream(pairs), 24))
    first, second = ([c for b in half for c in b.captions] for half in (batches[:12], batches[12:]))
    assert sorted(first) == sorted(second) and len(set(first)) == 96
    assert first != second


def test_workers_share_the_shards_without_overlap(pairs):
    loader = DataLoader(stream(pairs), batch_size=None, num_workers=2)
    captions = [c for batch in islice(loader, 12) for c in batch.captions]
    assert len(set(captions)) == 96


def test_more_readers_than_shards_is_refused(pairs):
    with pytest.raises(UserError, match=r"4 shards in .* for 5 readers"):
        next(iter(DataLoader(stream(pairs), batch_size=None, num_workers=5)))


def test_augmentation_differs_between_epochs_and_leaves_the_global_generator_alone(pairs):
    torch.manual_seed(7)
    before = torch.get_rng_state()
    batches = list(islice(stream(pairs), 24))
    assert torch.equal(torch.get_rng_state(), before)
    seen = {}
    for batch in batches:
        for caption, image in zip(batch.captions, batch.images, strict=True):
            seen.setdefault(caption, []).append(image)
    assert any(not torch.equal(*images) for images in seen.values())


def rewrite(path, change):
    """Rewrite a shard, each (name, bytes) through `change`, which may return None to drop the member."""
    with tarfile.open(path) as tar:
        members = [(m.name, tar.extractfile(m).read()) for m in tar]
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            if (changed := change(name, data)) is not None:
                info = tarfile.TarInfo(name)
                info.size = len(changed)
                tar.addfile(info, io.BytesIO(changed))


@pytest.mark.parametrize(
    "change",
    [
        lambda name, data: b"not a picture" if name == "000003.png" else data,
        lambda name, data: data[:60] if name == "000003.png" else data,
        lambda name, data: b"\xff\xfe\xff" if name == "000003.txt" else data,
        lambda name, data: None if name == "000003.txt" else data,
        lambda name, data: None if name == "000003.png" else data,
    ],
)
def test_a_bad_sample_is_skipped_counted_and_named(pairs, change, caplog):
    rewrite(pairs / "train" / "00000.tar", change)
    batches = list(islice(stream(pairs), 12))
    assert sum((Counter(b.skipped) for b in batches), Counter()) == {"00000.tar:000003": 1}
    captions = [c for b in batches for c in b.captions]
    assert len(captions) == 96 and "a tree number 3" not in captions
    assert "00000.tar:000003" in caplog.text


def test_a_truncated_shard_gives_what_it_has_and_is_counted(pairs):
    shard = pairs / "train" / "00001.tar"
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2 + 100])
    batches = list(islice(stream(pairs), 12))
    assert sum((Counter(b.skipped) for b in batches), Counter()).total() >= 1


def test_shards_without_any_pair_are_refused(tmp_path):
    (tmp_path / "train").mkdir()
    for number in range(2):
        (tmp_path / "train" / f"{number}.tar").write_bytes(b"this is no tar file" * 100)
    with pytest.raises(UserError, match="no sample can be read from"):
        next(iter(stream(tmp_path)))


def test_validation_batches_are_fixed_and_full(pairs):
    _, shards = pair_splits(pairs)
    batches = ValidationBatches(shards, BatchMaker(eval_transform(32)), batch_size=6)
    assert [len(b.captions) for b in (batches[i] for i in range(len(batches)))] == [6, 6]
    assert torch.equal(batches[0].images, batches[0].images)
    with pytest.raises(UserError, match="do not fill one batch of 64"):
        ValidationBatches(shards, BatchMaker(eval_transform(32)), batch_size=64)
