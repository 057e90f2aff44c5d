"""The stream of batches: the same whoever reads it, at every position, whatever is broken in the shards."""

import io
import tarfile
from collections import Counter
from itertools import islice

import pytest
import torch

from common.errors import UserError
from pretraining.data.augment import train_transform
from pretraining.data.batches import BatchMaker
from pretraining.data.shards import pair_splits
from pretraining.data.stream import TrainLoader, TrainStream, virtual_readers
from pretraining.objectives.base import ImageTextBatch


def loader(root, start=0, workers=0, process=0, processes=1, batch_size=8):
    maker = BatchMaker(train_transform(32), seed=0)
    shards = pair_splits(root)[0]
    made = TrainStream(shards, maker, batch_size, 100, 0, 40, process, processes)
    made.start = start
    return TrainLoader(made, workers)


def shared(root, processes, **settings):
    """Global batches, from loaders of several processes."""
    loaders = [iter(loader(root, process=p, processes=processes, **settings)) for p in range(processes)]
    while True:
        yield ImageTextBatch.joined([next(part) for part in loaders])


def same(batches, others):
    for batch, other in zip(batches, others, strict=True):
        assert batch.captions == other.captions
        assert torch.equal(batch.images, other.images)
    return True


@pytest.mark.parametrize(("processes", "workers"), [(2, 0), (4, 0), (8, 0), (1, 2), (1, 3), (2, 3)])
def test_a_batch_is_the_same_however_many_read_it(pairs, processes, workers):
    whole = list(islice(loader(pairs), 14))
    assert same(whole, islice(shared(pairs, processes, workers=workers), 14))


def test_a_batch_can_be_cut_where_no_reader_ends(pairs):
    whole = list(islice(loader(pairs, batch_size=6), 20))
    assert same(whole, islice(shared(pairs, 3, batch_size=6), 20))
    assert same(whole[5:], islice(shared(pairs, 6, batch_size=6, start=5), 15))


@pytest.mark.parametrize(("processes", "workers"), [(1, 0), (2, 0), (1, 2)])
def test_a_stream_taken_up_later_by_others_goes_on_as_it_would_have(pairs, processes, workers):
    whole = list(islice(loader(pairs), 20))
    for start in (1, 5, 14):
        rest = islice(shared(pairs, processes, start=start, workers=workers), 6)
        assert same(whole[start : start + 6], rest)


def test_an_epoch_holds_every_pair_once_in_another_order(pairs):
    batches = list(islice(loader(pairs), 24))
    first, second = ([c for b in half for c in b.captions] for half in (batches[:12], batches[12:]))
    assert sorted(first) == sorted(second) and len(set(first)) == 96
    assert first != second


def test_augmentation_differs_between_epochs_and_leaves_the_global_generator_alone(pairs):
    torch.manual_seed(7)
    before = torch.get_rng_state()
    batches = list(islice(loader(pairs).dataset, 24))
    assert torch.equal(torch.get_rng_state(), before)
    seen = {}
    for batch in batches:
        for caption, image in zip(batch.captions, batch.images, strict=True):
            seen.setdefault(caption, []).append(image)
    assert any(not torch.equal(*images) for images in seen.values())


@pytest.mark.parametrize(
    ("shards", "readers"), [(1, 1), (4, 4), (12, 12), (64, 64), (100, 50), (101, 51), (1000, 50)]
)
def test_readers_share_the_shards_evenly_whoever_they_are(shards, readers):
    assert virtual_readers(shards) == readers


def test_one_shard_is_enough_for_many_processes(pairs):
    for number in range(1, 4):
        (pairs / "train" / f"{number:05d}.tar").unlink()
    whole = list(islice(loader(pairs), 6))
    assert same(whole, islice(shared(pairs, 8), 6))
    assert sorted(c for batch in whole[:3] for c in batch.captions) == sorted(
        c for batch in whole[3:] for c in batch.captions
    )


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


def skipped(batches):
    return sum((Counter(batch.skipped) for batch in batches), Counter())


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
    batches = list(islice(loader(pairs), 12))
    assert skipped(batches) == {"00000.tar:000003": 1}
    captions = [c for b in batches for c in b.captions]
    assert len(captions) == 96 and "a tree number 3" not in captions
    assert "00000.tar:000003" in caplog.text


def test_the_place_of_bad_samples_is_taken_by_the_same_whoever_reads(pairs):
    """Half of a shard is bad, from its first sample on."""
    rewrite(pairs / "train" / "00000.tar", lambda name, data: b"" if name < "000012" else data)
    whole = list(islice(loader(pairs), 12))
    assert skipped(whole).total() == 12
    for processes in (2, 8):
        shares = list(islice(shared(pairs, processes), 12))
        assert same(whole, shares) and skipped(shares) == skipped(whole)
    assert same(whole[7:], islice(shared(pairs, 2, start=7), 5))


def test_a_truncated_shard_gives_what_it_has_and_is_counted_once(pairs):
    shard = pairs / "train" / "00001.tar"
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2 + 100])
    counts = {}
    for processes in (1, 8):  # of eight, two read each reader
        batches = list(islice(shared(pairs, processes), 12))
        counts[processes] = skipped(batches)
    assert counts[1] == counts[8] and 1 <= counts[1]["00001.tar"] <= 3


def test_shards_without_any_pair_are_refused(tmp_path):
    (tmp_path / "train").mkdir()
    for number in range(2):
        (tmp_path / "train" / f"{number}.tar").write_bytes(b"this is no tar file" * 100)
    with pytest.raises(UserError, match="no sample can be read from"):
        next(iter(loader(tmp_path)))


def test_a_shard_of_which_nothing_can_be_read_is_refused(pairs):
    for shard in (pairs / "train").glob("*.tar"):
        rewrite(shard, lambda name, data: b"")
    with pytest.raises(UserError, match="none of 32 samples in a row can be read"):
        next(iter(loader(pairs)))
