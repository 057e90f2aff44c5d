"""What the speed report says of ratios, from records that are made up."""

import pytest

from benchmark.records.schema import BackboneInfo, DataInfo, Metric, Record, TaskInfo
from benchmark.records.store import write_record
from benchmark.reporting import speed
from common.digest import digest
from common.errors import UserError

FOUND = {
    "bounded_by": None,
    "loader": None,
    "phases": {"backward": 0.2, "optimizer": 0.1},
    "communication": None,
}
AHEAD = {
    "device": "a100_80gb",
    "devices": 64,
    "objectives": {name: {"device_hours": 5.0, "batch_size": 1024} for name in ("catlip", "clip")},
    "scaling": [
        {"name": name, "devices": n, "batch_size": 8, "images_per_second": 9.0 * n}
        for name in ("catlip", "clip")
        for n in (8, 64)
    ],
    "paper": [
        {
            "device": "a100_80gb",
            "assuming": "a fast network",
            "factors": {"a": 0.5, "b": 0.8},
            "predicted": 0.4,
        }
    ],
}


def timed(value, spread=0.1, unit="x"):
    return Metric(value=value, low=value - spread, high=value + spread, n=5, unit=unit)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "speed"


def write(folder, name, started="2026-01-01T00:00:00+00:00", found=None, metrics=None, study="", **axes):
    axes = {
        "device": "a card",
        "processes": 1,
        "batch_size": 8,
        "precision": "bf16",
        "recipe": "shared",
        **axes,
    }
    ratios = {"cheaper_flops": Metric(value=1.17, unit="x"), "cheaper_same_batch": timed(1.3)}
    details = {
        "found": FOUND | (found or {}),
        "reference": "clip",
        "study": study or digest(axes)[:8],
        "loaders": 2,
        "left_out": [],
        "machine": {"cuda": "13.0"},
        "contenders": ["vit", "catlip", "clip"],
        "rounds": 5,
        "differences": {"clip": ["no gradient clipping"]} if axes["recipe"] == "paper" else {},
        "forecast": AHEAD,
        "energy": [],
        "bound": None,
    }
    record = Record(
        suite="speed",
        backbone=BackboneInfo(name=name, spec="random:vit_nano_conv16"),
        task=TaskInfo(name="tiny", type="speed", config="tiny.py", config_digest="c", protocol=1, axes=axes),
        data=DataInfo(name="pairs", path="noise"),
        seed=0,
        fingerprint="f",
        command="python run_suite.py speed",
        status="done",
        started=started,
        finished=started,
        primary="images_per_second",
        metrics={
            "images_per_second": timed(100.0, 5, "images/s"),
            **(ratios if name != "clip" else {}),
            **(metrics or {}),
        },
        details=details,
    )
    write_record(
        folder / name / "tiny" / f"{'-'.join(map(str, axes.values()))}{study}-seed0".replace(" ", "-"), record
    )


def test_the_contenders_of_a_study_stand_in_their_order(folder):
    for name in ("clip", "catlip", "vit"):
        write(folder, name)
    (table,) = speed.studies(folder)
    assert list(table.records) == ["vit", "catlip", "clip"]
    header, lines = speed.layout(table)
    row = dict(zip(header, lines[1], strict=True))
    assert row[""] == "catlip" and row["(b) same batch"] == "1.30 [1.20, 1.40]" and row["(a) FLOPs"] == "1.17"
    assert dict(zip(header, lines[2], strict=True))["(b) same batch"] == "1"


def test_what_the_paper_has_and_this_device_has_not_is_said(folder):
    for name in ("clip", "catlip"):
        write(folder, name)
    (table,) = speed.studies(folder)
    (note,) = (note for note in speed.notes(table) if "figure 1c" in note)
    assert "1.30 [1.20, 1.40] times as cheap" in note and "not the paper's 2.7" in note
    assert "1.17 of it is arithmetic, 1.11 what that does not count" in note
    assert (
        "communication of 1 process is in it, not that of the paper's 64 and 256 GPUs" in note
        and "the recipes are the same" in note
    )
    assert any("0.500 (a) x 0.800 (b) = 0.40" in note for note in speed.notes(table))


def test_where_it_is_as_cheap_as_in_the_paper_nothing_else_is_claimed(folder):
    write(folder, "clip")
    write(folder, "catlip", metrics={"cheaper_same_batch": timed(2.7, 0.3)})
    (table,) = speed.studies(folder)
    assert any("beside the paper's 2.7" in note for note in speed.notes(table))


def test_a_batch_that_time_bounded_says_nothing_of_memory(folder):
    write(folder, "clip")
    found = {"bounded_by": "time"}
    write(folder, "catlip", found=found, metrics={"cheaper_largest_batch": timed(1.4)})
    (table,) = speed.studies(folder)
    assert any("time was the limit, not memory" in note for note in speed.notes(table))
    assert any("does not show what catlip's smaller memory allows" in note for note in speed.notes(table))


def test_recipes_that_differ_are_told_and_kept_apart(folder):
    for recipe in ("shared", "paper"):
        for name in ("catlip", "clip"):
            write(folder, name, recipe=recipe)
    shared, paper = sorted(speed.studies(folder), key=lambda table: table.axes["recipe"] == "paper")
    assert not any("another recipe" in note for note in speed.notes(shared))
    assert any(
        "clip is trained by another recipe, too: no gradient clipping" in note for note in speed.notes(paper)
    )


def test_one_plot_shows_all_numbers_of_processes(folder):
    for processes in (1, 2):
        for name in ("catlip", "clip"):
            write(folder, name, processes=processes)
    written = speed.write(folder)
    assert len([path for path in written if path.name.startswith("scaling-")]) == 3
    assert len([path for path in written if path.suffix == ".png"]) == 3
    assert (folder / "tables" / "speed.md").read_text().count("## tiny") == 2


def test_earlier_studies_are_not_shown_again(folder):
    write(folder, "catlip", started="2026-01-01T00:00:00+00:00")
    write(folder, "catlip", started="2026-01-02T00:00:00+00:00", processes=2)
    assert len(speed.studies(folder)) == 2
    (table,) = speed.studies(folder, since="2026-01-02T00:00:00+00:00")
    assert table.axes["processes"] == 2
    with pytest.raises(UserError, match=r"run_suite\.py speed"):
        speed.studies(folder, since="2027")


def test_studies_of_other_objectives_are_tables_of_their_own(folder):
    for study, names in (("one", ("vit", "catlip")), ("two", ("vit", "clip"))):
        for name in names:
            write(folder, name, study=study)
    found = speed.studies(folder)
    assert [list(table.records) for table in found] == [["vit", "catlip"], ["vit", "clip"]]
    assert found[0].key != found[1].key


def test_nothing_is_one_where_nothing_was_measured(folder):
    for name in ("catlip", "clip"):
        write(folder, name)
    (table,) = speed.studies(folder)
    header, lines = speed.layout(table)
    row = dict(zip(header, lines[1], strict=True))
    assert row[""] == "clip" and row["(b) real pairs"] == row["(c) largest batch"] == "–"
    assert row["(a) FLOPs"] == "1"
