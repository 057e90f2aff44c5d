"""What an interval of AP is made of, written and read."""

import numpy as np

from benchmark.metrics.ap_parts import read_parts, write_parts
from benchmark.statistics.precision import Parts


def test_what_is_read_is_what_was_written(tmp_path):
    generator = np.random.default_rng(0)
    parts = {2: generator.random((40, 5)), 4: generator.random((32, 5))}
    parts[4][3, 2] = np.nan
    full = generator.random(5)
    write_parts(tmp_path, "bbox", Parts(full, parts, np.arange(5)))
    again = read_parts(tmp_path, "bbox")
    assert np.array_equal(again.full, full) and again.objects.tolist() == [0, 1, 2, 3, 4]
    assert all(np.array_equal(again.parts[number], parts[number], equal_nan=True) for number in parts)
    assert read_parts(tmp_path, "segm") is None


def test_torn_and_foreign_files_are_none(tmp_path):
    file = tmp_path / "ap_parts.bbox.npz"
    file.write_bytes(b"PK\x03\x04 torn")
    assert read_parts(tmp_path, "bbox") is None
    np.savez(file, full=np.array([{"a": 1}], dtype=object))  # would need pickle
    assert read_parts(tmp_path, "bbox") is None
