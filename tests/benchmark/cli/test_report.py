"""``report`` of one folder, and of two."""

from __future__ import annotations

import pytest
from record_data import record

from benchmark.cli import main
from benchmark.records.store import write_record


@pytest.fixture
def folders(tmp_path):
    found = []
    for place, value in (("here", 60.0), ("there", 61.0)):
        found.append(tmp_path / place / "toy")
        write_record(found[-1] / "catlip" / "probe" / "seed0", record(value=value))
    return found


def test_two_folders_are_compared_and_left_as_they_were(folders, tmp_path, capsys):
    assert main(["report", *map(str, folders), "--out", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "+1.0" in out and "largest difference between two runs of one is top-1 1" in out
    assert [path.suffix for path in sorted((tmp_path / "out").iterdir())] == [".csv", ".md"]
    assert not any((folder / "tables").exists() for folder in folders)
    assert main(["report", *map(str, folders)]) == 0
    assert len(list((folders[0] / "tables").glob("compared_with_toy-*"))) == 2


def test_one_folder_is_reported(folders, capsys):
    assert main(["report", str(folders[0])]) == 0
    assert "60.0 [58.0, 62.0]" in capsys.readouterr().out
    assert (folders[0] / "tables" / "summary.tex").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{0}", "{0}"], "cannot be compared with itself"),
        (["{0}", "{1}", "{0}"], "one folder of results, or two to compare, not 3"),
        (["{0}", "{0}/nothing"], "holds no records"),
        (["{0}/nothing"], "unknown suite"),
        (["{0}", "--out", "x"], "--out is for a comparison"),
    ],
)
def test_bad_input_is_one_line(folders, arguments, message, capsys):
    assert main(["report", *(word.format(*folders) for word in arguments)]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
