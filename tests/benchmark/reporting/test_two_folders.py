"""Two folders of results side by side."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from record_data import record
from rich.console import Console

from benchmark.records.schema import DataInfo, Environment, Metric, TaskInfo
from benchmark.records.store import write_record
from benchmark.reporting import two_folders
from benchmark.reporting.results import of_folder
from common.errors import UserError


@pytest.fixture
def folders(tmp_path):
    """Results of two lists of records, through the disk."""

    def make(first, second):
        found = []
        for place, entries in (("here", first), ("there", second)):
            for number, entry in enumerate(entries):
                folder = tmp_path / place / "toy" / str(number) / entry.task.name / f"seed{entry.seed}"
                write_record(folder, entry)
            found.append(of_folder(tmp_path / place / "toy"))
        return found

    return make


def machine(cpu: str = "A", torch: str = "2.9.0", commit: str = "1" * 40) -> Environment:
    return Environment(python="3.11", packages={"torch": torch}, platform="Linux", cpu=cpu, commit=commit)


def only(compared, metric="top1"):
    (cell,) = [cell for cell in compared if cell.metric == metric]
    return cell


def test_one_fingerprint_on_two_machines_gives_how_well_runs_repeat(folders):
    values = {0: (60.0, 60.1), 1: (64.0, 63.5)}
    first = [
        record(value=a, seed=s, fingerprint=f"f{s}", environment=machine()) for s, (a, _) in values.items()
    ]
    other = machine("B", "2.14.1")
    second = [record(value=b, seed=s, fingerprint=f"f{s}", environment=other) for s, (_, b) in values.items()]
    compared = two_folders.compare(*folders(first, second))
    cell = only(compared)
    assert (cell.first.value, cell.second.value) == (62.0, pytest.approx(61.8))
    assert cell.difference == pytest.approx(-0.2) and cell.overlap and cell.verdict == "yes"
    assert cell.runs == 2 and cell.largest == pytest.approx(0.5) and not cell.differs
    assert cell.surroundings == ("processor A and B", "torch 2.9.0 and 2.14.1")
    said = " ".join(two_folders.sentences(compared))
    assert "1 cell of the same fingerprint in both" in said and "is top-1 0.5 (" in said
    assert "different: processor A and B; torch 2.9.0 and 2.14.1." in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"task": {"protocol": 2}}, "protocol 1 and 2"),
        ({"task": {"config_digest": "other"}}, "config"),
        ({"data": DataInfo(name="toy", path="elsewhere", digest="other")}, "data"),
        ({"further": [DataInfo(name="sketch", path="p", digest="s")]}, "further test sets"),
        ({"backbone": {"digest": "other"}}, "weights"),
        ({"seed": 3}, "seed 0 and 3"),
        ({}, "fingerprint"),
    ],
)
def test_what_is_not_the_same_measurement_is_said(folders, change, words):
    plain = record(fingerprint="one")
    changed = {
        key: getattr(plain, key).model_copy(update=value) if isinstance(value, dict) else value
        for key, value in change.items()
    }
    other = plain.model_copy(update={"fingerprint": "other", **changed})
    assert words in two_folders.differences(plain, other) and not two_folders.differences(plain, plain)
    compared = two_folders.compare(*folders([plain], [other]))
    assert only(compared).verdict == f"no: {words}" and only(compared).largest is None
    said = " ".join(two_folders.sentences(compared))
    assert f"1 of 1 figures are not the same measurement ({words})" in said
    assert "how well runs repeat cannot be said" in said


def test_a_record_without_a_fingerprint_is_of_no_other_ones(folders):
    unknown = record(fingerprint=None)
    assert two_folders.differences(unknown, unknown) == ["fingerprint"]


def test_intervals_that_lie_apart_though_nothing_differs_are_an_alarm(folders):
    compared = two_folders.compare(*folders([record(value=60.0)], [record(value=70.0)]))
    assert only(compared).overlap is False
    assert "differ by more than the intervals allow" in " ".join(two_folders.sentences(compared))
    bare = {"top1": Metric(value=60.0)}
    compared = two_folders.compare(*folders([record(metrics=bare)], [record(metrics=bare)]))
    assert only(compared).overlap is None


def test_what_is_in_one_only_and_what_failed_is_said(folders):
    nothing = {"metrics": {}, "primary": None, "chosen": {}, "notes": [], "cost": None}
    failed = record("broken", status="failed", error="it broke", error_type="E", **nothing)
    first = [record("clip"), record("catlip"), record("broken")]
    compared = two_folders.compare(*folders(first, [record("catlip"), record("new", 1.0), failed]))
    found = {cell.backbone: cell for cell in compared if cell.metric == "top1"}
    assert {name: cell.verdict for name, cell in found.items()} == {
        "clip": "only in A", "catlip": "yes", "broken": "B failed", "new": "only in B",
    }  # fmt: skip
    assert found["clip"].difference is None
    assert "3 figures are in one folder only." in two_folders.sentences(compared)


def test_what_is_outdated_in_its_folder_is_compared_all_the_same(folders):
    new = TaskInfo(name="probe", type="linear_probe", config="probe.py", config_digest="c", protocol=2)
    one, two = record("clip", 60.0), record("clip", 60.5)
    results = folders([one], [two, record("catlip", 70.0, task=new)])
    assert {row.status for row in results[1].rows} == {"done", "outdated"}
    assert two_folders.compare(*results)[0].verdict == "yes"


def test_points_of_axes_and_of_pre_trainings_are_cells_of_their_own(folders):
    task = {"type": "linear_probe", "config": "probe.py", "config_digest": "c", "protocol": 1}
    entries = [
        record(task=TaskInfo(name="probe", axes={"fraction": 0.5}, **task)),
        record(pretraining_samples=10_240),
        record(),
    ]
    compared = two_folders.compare(*folders(entries, [*entries[:1], record(value=1.0)]))
    shown = two_folders.markdown(compared, Path("a"), Path("b"))
    assert "Linear probe, fraction=0.5, top-1 %" in shown
    assert "Linear probe, top-1 %, after 10,240 samples" in shown
    assert len([cell for cell in compared if cell.metric == "top1"]) == 3


@pytest.mark.parametrize("name", ["catlip", "a_very_long_name_of_a_backbone_" * 3, "a|b`c\n[red]x[/red]<b>"])
def test_the_table_fits_80_columns_and_the_files_hold_every_metric(folders, tmp_path, name):
    first, second = folders([record(name, 60.0)], [record(name, 99.0, fingerprint="g", seed=1)])
    compared = two_folders.compare(first, second)
    console = Console(width=80, file=io.StringIO())
    console.print(two_folders.terminal(compared))
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80 and "…" not in text and "+39.0" in text
    files = two_folders.write(compared, first.folder, second.folder)
    assert {path.parent for path in files} == {first.folder / "tables"}
    markdown = files[0].read_text(encoding="utf-8")
    table = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len({line.replace(r"\|", "").count("|") for line in table}) == 1 and "<b>" not in markdown
    lines = list(csv.DictReader(files[1].open(encoding="utf-8", newline="")))
    assert [(line["backbone"], line["metric"]) for line in lines] == [
        (name, "top1"),
        (name, "top1_over_images"),
    ]
    assert float(lines[0]["difference"]) == 39.0 and lines[0]["intervals_overlap"] == "False"
    (out,) = {
        path.parent for path in two_folders.write(compared, first.folder, second.folder, tmp_path / "o")
    }
    assert out == tmp_path / "o"


def test_a_folder_is_not_compared_with_itself(folders):
    first, _ = folders([record()], [record()])
    with pytest.raises(UserError, match="cannot be compared with itself"):
        two_folders.compare(first, first)


def test_two_folders_of_one_name_have_files_of_their_own(folders, tmp_path):
    first, second = folders([record()], [record()])
    compared = two_folders.compare(first, second)
    one = two_folders.write(compared, first.folder, second.folder)
    other = two_folders.write(compared, first.folder, tmp_path / "elsewhere" / "toy")
    assert not {*one} & {*other}
