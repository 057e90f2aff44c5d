"""Features that are kept: what is made again, what never, and who waits for whom."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark.features import cache
from benchmark.features.cache import FeatureCache

WHO = {"backbone": "a", "images": "b"}


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(cache, "PART", 4)


class Maker:
    """Makes features that name their image, and remembers what it was asked for."""

    def __init__(self, fail_at=None):
        self.asked, self.fail_at = [], fail_at

    def __call__(self, kinds, start, end):
        if self.fail_at is not None and start >= self.fail_at:
            raise KeyboardInterrupt
        self.asked.append((tuple(kinds), start, end))
        rows = torch.arange(start, end, dtype=torch.float32)[:, None]
        return {kind: rows + number for number, kind in enumerate(sorted(kinds), 10)}


def ask(store, maker, kinds=("x",), who=WHO, count=10):
    return store.tables(who, count, list(kinds), maker)


def test_features_are_made_once(tmp_path):
    first, second = Maker(), Maker()
    made = ask(FeatureCache(tmp_path), first)["x"]
    assert first.asked == [(("x",), 0, 4), (("x",), 4, 8), (("x",), 8, 10)]
    again = ask(FeatureCache(tmp_path), second)["x"]
    assert second.asked == [] and [len(shard) for shard in again.shards] == [4, 4, 2]
    assert torch.equal(again.tensor(), made.tensor()) and len(again) == 10 and again.width == 1
    assert again.tensor()[:, 0].tolist() == [10.0 + i for i in range(10)]
    assert again.for_solver("cpu")[0].dtype == torch.float64
    again.shards[0][0] = 99  # nobody else sees that
    assert ask(FeatureCache(tmp_path), second)["x"].tensor()[0, 0] == 10


def test_another_kind_is_made_of_what_is_missing(tmp_path):
    maker = Maker()
    ask(FeatureCache(tmp_path), maker)
    found = ask(FeatureCache(tmp_path), maker, ("x", "y"))
    assert maker.asked[3:] == [(("y",), 0, 4), (("y",), 4, 8), (("y",), 8, 10)]
    assert set(found) == {"x", "y"}


def test_other_images_or_weights_are_another_entry(tmp_path):
    maker = Maker()
    ask(FeatureCache(tmp_path), maker)
    ask(FeatureCache(tmp_path), maker, who={**WHO, "images": "c"})
    assert len(maker.asked) == 6 and len(FeatureCache(tmp_path).entries()) == 2


def test_a_killed_extraction_goes_on_behind_the_last_part(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        ask(FeatureCache(tmp_path), Maker(fail_at=8))
    maker = Maker()
    found = ask(FeatureCache(tmp_path), maker)["x"]
    assert maker.asked == [(("x",), 8, 10)]
    assert found.tensor()[:, 0].tolist() == [10.0 + i for i in range(10)]


@pytest.mark.parametrize("harm", ["cut", "change", "remove", "swap", "about"])
def test_what_is_torn_or_altered_is_never_used(tmp_path, harm):
    ask(FeatureCache(tmp_path), Maker())
    (entry,) = [path.parent for path in tmp_path.glob("*/about.json")]
    part = entry / "x-00001.npy"
    if harm == "cut":
        part.write_bytes(part.read_bytes()[:-3])
    elif harm == "change":
        np.save(part, np.zeros((4, 1), np.float32))
    elif harm == "remove":
        part.unlink()
    elif harm == "swap":
        part.write_bytes((entry / "x-00000.npy").read_bytes())
    else:
        (entry / "about.json").write_text("{")
    maker = Maker()
    found = ask(FeatureCache(tmp_path), maker)["x"]
    assert maker.asked[0][1] == (0 if harm == "about" else 4)
    assert found.tensor()[:, 0].tolist() == [10.0 + i for i in range(10)]


def test_the_least_recently_used_goes_first(tmp_path):
    store = FeatureCache(tmp_path)
    for name in "abc":
        ask(store, Maker(), who={"images": name})
    ask(store, Maker(), who={"images": "a"})
    size = store.entries()[0]["bytes"]
    ask(FeatureCache(tmp_path, limit=3 * size), Maker(), who={"images": "d"})
    assert [about["of"]["images"] for about in store.entries()] == ["c", "a", "d"]


def test_an_entry_that_somebody_fills_is_not_removed(tmp_path):
    from common.locks import FolderLock

    store = FeatureCache(tmp_path)
    ask(store, Maker(), who={"images": "a"})
    lock = FolderLock(store.entries()[0]["folder"])
    assert lock.acquire()
    ask(FeatureCache(tmp_path, limit=1), Maker(), who={"images": "b"})
    lock.release()
    assert {about["of"]["images"] for about in store.entries()} == {"a", "b"}


def test_nothing_is_kept_where_nothing_may_be(tmp_path, monkeypatch):
    monkeypatch.setenv(cache.LIMIT_VARIABLE, "0")
    maker = Maker()
    assert len(ask(FeatureCache(tmp_path), maker)["x"]) == 10
    assert maker.asked == [(("x",), 0, 10)] and not list(tmp_path.iterdir())


def test_of_two_processes_one_makes_and_one_waits(tmp_path):
    code = """
import sys, time, json
from pathlib import Path
import torch
from benchmark.features import cache
asked = []
def make(kinds, start, end):
    asked.append(start)
    time.sleep(0.3)
    return {kind: torch.arange(start, end, dtype=torch.float32)[:, None] for kind in kinds}
cache.PART = 4
found = cache.FeatureCache(Path(sys.argv[1])).tables({"a": 1}, 10, ["x"], make)["x"]
print(json.dumps([asked, found.tensor()[:, 0].tolist()]))
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    root = Path(__file__).resolve().parents[3]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, text=True) for _ in range(2)]
    answers = [json.loads(process.communicate(timeout=60)[0]) for process in both]
    assert sorted(asked for asked, _ in answers) == [[], [0, 4, 8]]
    assert all(values == list(range(10)) for _, values in answers)
