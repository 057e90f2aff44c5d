"""Locks on folders."""

from __future__ import annotations

import os

from common.locks import FolderLock


def test_a_lock_names_its_holder_and_ends_with_it(tmp_path):
    folder = tmp_path / "task" / "seed0"
    first, second = FolderLock(folder), FolderLock(folder)
    assert first.acquire() and not second.acquire()
    assert str(os.getpid()) in second.holder()
    first.release()
    assert second.acquire()
    second.release()
