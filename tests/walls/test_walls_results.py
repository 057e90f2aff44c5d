"""Edited files and hostile names in results and reports: each ends in one line or in the right result."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest
from lines import one_line
from record_data import record
from rich.console import Console

from benchmark import reporting
from benchmark.cli import main, plan
from benchmark.records.published import Reference
from benchmark.records.store import kept_aside, read_or_damage, set_aside, take_back, write_record
from benchmark.reporting import labels, page, plots, speed, tables
from benchmark.reporting.results import of_folder
from benchmark.running.plan import Plan
from benchmark.suites.fingerprint import data_digest
from common import terminal
from common.errors import UserError
from common.files import replacing, write_text
from common.progress import ProgressFile, read_progress


def edited(changes: dict) -> str:
    """A record whose entries were changed by hand; names with dots lead to those within."""
    values = json.loads(record().model_dump_json())
    for name, value in changes.items():
        *parts, last = name.split(".")
        node = values
        for part in parts:
            node = node[part]
        node[last] = value
    return json.dumps(values)


RECORDS = {
    "nothing": "",
    "cut": edited({})[:200],
    "bytes": "\0\0\0\0",
    "a list": "[1, 2]",
    "a text": '"record"',
    "too deep": "[" * 100_000,
    "no metrics": edited({"metrics": {}}),
    "metrics are a list": edited({"metrics": []}),
    "a metric of text": edited({"metrics.top1.value": "much"}),
    "a metric that is no number": edited({"metrics.top1.value": float("nan")}),
    "an interval without an end": edited({"metrics.top1.high": float("inf")}),
    "no primary metric": edited({"primary": None}),
    "a primary metric nobody measured": edited({"primary": "top2"}),
    "a further metric nobody measured": edited({"also": ["top2"]}),
    "an entry nobody knows": edited({"colour": "red"}),
    "a status nobody knows": edited({"status": "fine"}),
    "a backbone of text": edited({"backbone": "catlip"}),
    "a seed of text": edited({"seed": "first"}),
    "a version of text": edited({"schema_version": "five"}),
    "notes that are a text": edited({"notes": "a note"}),
}


@pytest.mark.parametrize("text", RECORDS.values(), ids=RECORDS)
def test_a_damaged_record_is_a_named_row(tmp_path, text):
    good = write_record(tmp_path / "toy" / "clip" / "probe" / "seed0", record("clip"))
    bad = tmp_path / "toy" / "catlip" / "probe" / "seed0" / "record.json"
    write_text(bad, text)
    assert read_or_damage(bad.parent)[0] is None
    results = of_folder(tmp_path / "toy")
    assert {row.name: row.status for row in results.rows} == {"clip": "done", "catlip": "damaged"}
    assert results.failed == 1
    markdown = tables.markdown(results)
    assert "damaged" in markdown and "record.json" in markdown
    assert good.is_file() and bad.read_text() == text


def test_a_report_goes_on_beside_a_damaged_record(tmp_path, capsys, monkeypatch):
    write_record(tmp_path / "toy" / "clip" / "probe" / "seed0", record("clip"))
    write_text(tmp_path / "toy" / "catlip" / "probe" / "seed0" / "record.json", edited({"metrics": {}}))
    monkeypatch.setattr(plots, "write", lambda *_: [])  # takes seconds
    assert main(["report", str(tmp_path / "toy")]) == 0
    said = capsys.readouterr()
    assert "damaged" in said.out and "Traceback" not in said.err
    page = (tmp_path / "toy" / "report.html").read_text(encoding="utf-8")
    assert "damaged" in page and "there is no metric called" in page


NAMES = {
    "markup": "[bold red]x[/bold red]",
    "markup that is not closed": "[/x]",
    "a window's title": "\x1b]0;owned\x07",
    "a single byte's control": "\x9b31m",
    "writing from the right": "\u202egnp.exe",
    "HTML": "<script>alert(1)</script>",
    "Markdown": "![x](http://example.org) | # `",
    "LaTeX": r"\input{x} $1$ %",
    "a formula": "=cmd|' /C calc'!A0",
    "a way out": "../../../x",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_name_is_shown_as_it_is_and_does_nothing(tmp_path, capsys, name):
    cell = tmp_path / "toy" / "named" / "probe" / "seed0"
    write_record(cell, record(backbone=name))
    results = of_folder(tmp_path / "toy")
    assert results.rows[0].record.backbone.name == name  # stored as it is
    console_text = render(tables.terminal(results, 200))
    assert not set("\x1b\x07\x9b\u202e") & set(console_text)
    assert terminal.printable(name) in console_text
    markdown = tables.markdown(results)
    assert "<script>" not in markdown and "![x](" not in markdown
    rows = list(csv.reader(io.StringIO(tables.cells_csv(results))))
    assert not any(entry.startswith(("=", "@", "+", "\t")) for row in rows for entry in row)
    assert not list(tmp_path.parent.glob("x"))


def render(table: object) -> str:
    """What a terminal without colours is given."""
    stream = io.StringIO()
    Console(file=stream, width=200).print(table)
    return stream.getvalue()


COMMANDS = [["--help"], ["run", "--help"], ["list", "tasks"], ["list", "suites"]]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_terminal_of_ascii_alone_is_given_ascii(monkeypatch, words):
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    assert main(words) == 0
    assert raw.getvalue().decode("ascii").strip()


def test_tables_are_shown_in_ascii(tmp_path):
    write_record(tmp_path / "toy" / "clip" / "probe" / "seed0", record("clip"))
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    terminal.prepare(stream)
    console = Console(file=stream, width=200)
    console.print(tables.terminal(of_folder(tmp_path / "toy"), 200))
    plan.show(Plan("toy–suite", "a100", [], [], [], {"weights → here": 2}), console)
    shown = raw.getvalue().decode("ascii")
    assert "66.0 [64.0, 68.0]" in shown and "2 cells wait for weights -> here" in shown


PROGRESS = {
    "a list": "[]",
    "text for a count": '{"done": "many"}',
    "a list for a stage": '{"stage": []}',
    "text for a loss": '{"loss": "low"}',
    "no number": '{"loss": NaN}',
    "endless": '{"seconds_left": Infinity}',
    "a truth for a count": '{"total": true}',
    "half": '{"stage": "tr',
}


@pytest.mark.parametrize("text", PROGRESS.values(), ids=PROGRESS)
def test_progress_that_was_edited_is_no_progress(tmp_path, text):
    (tmp_path / "progress.json").write_text(text)
    assert read_progress(tmp_path / "progress.json") is None


def test_histories_that_were_edited_draw_nothing(tmp_path):
    write_record(tmp_path / "clip" / "probe" / "seed0", record("clip"))
    contents = (b"\xff\xfe\0", b"1,2\n", b"samples,loss\n1,low\n2\n", b"samples,loss\n1,nan\n2,inf\n", b"")
    for number, data in enumerate(contents):
        (tmp_path / f"{number}.csv").write_bytes(data)
    files = plots.write(of_folder(tmp_path), {path.stem: path for path in tmp_path.glob("*.csv")})
    assert files and not any("loss" in path.name for path in files)


@pytest.mark.parametrize(
    "details", [{}, {"study": 3}, {"study": "s", "contenders": "clip"}], ids=["none", "a number", "text"]
)
def test_a_study_that_was_edited_is_left_out_by_name(tmp_path, caplog, details):
    task = record().task.model_copy(update={"type": speed.SUITE, "protocol": speed.PROTOCOL})
    write_record(tmp_path / "clip" / "g" / "seed0", record(task=task, details=details))
    with pytest.raises(UserError, match="holds no measurements"):
        speed.studies(tmp_path)
    assert "record.json is left out: details.study" in caplog.text or "details.reference" in caplog.text


DETAILS = [
    {"labels": {"exact": "many"}},
    {"labels": [3]},
    {"labels": {"exact": 3}, "alpha": "high"},
    {"labels": {"exact": float("nan")}},
    "transfer",
]


@pytest.mark.parametrize("details", DETAILS)
def test_details_that_were_edited_are_not_told(tmp_path, details):
    edited_record = record("catlip", details={"transfer_init": details, "rows": 3})
    write_record(tmp_path / "catlip" / "probe" / "seed0", edited_record)
    results = of_folder(tmp_path)
    assert labels.coverage(results) == [] and results.rows[0].status == "done"


PUBLISHED = {
    "cut": b"task,metric\nx",
    "a word for a number": b"task,metric,backbone,objective,pretraining_data,resolution,value,unit,source\n"
    b"a,b,c,d,e,224,much,percent,paper\n",
    "bytes": b"\xff\xfe\0",
    "nothing": b"",
}


@pytest.mark.parametrize("data", PUBLISHED.values(), ids=PUBLISHED)
def test_published_figures_that_were_edited_end_no_report(tmp_path, caplog, data):
    (tmp_path / "others.csv").write_bytes(data)
    assert Reference(tmp_path, strict=False).figures == []
    assert str(tmp_path / "others.csv") in caplog.text and "git checkout" in caplog.text
    with pytest.raises(UserError, match=r"others\.csv, line"):
        Reference(tmp_path).figures  # noqa: B018


STAMPS = ["[]", "{}", '{"state": 1, "files": 3}', '{"state": "x", "files": [3]}', "{"]


@pytest.mark.parametrize("text", STAMPS)
def test_notes_on_files_that_were_edited_are_made_anew(tmp_path, text, monkeypatch):
    write_record(tmp_path / "clip" / "probe" / "seed0", record("clip"))
    write_text(tmp_path / "tables" / ".made_from.json", text)
    for part in (plots, page):
        monkeypatch.setattr(part, "write", lambda *_: [])
    assert reporting.update(of_folder(tmp_path))
    assert (tmp_path / "tables" / "summary.md").is_file()
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for digests in (text, json.dumps({str(pictures.resolve()): text})):
        (tmp_path / ".digests.json").write_text(digests)
        assert data_digest(pictures, tmp_path) == data_digest(pictures, tmp_path)


ABOUTS = ['{"kinds": 3}', '{"kinds": {}, "used": "today"}', '{"kinds": {}, "count": []}', "[", '"kinds"']


@pytest.mark.parametrize("text", ABOUTS)
def test_kept_features_that_were_edited_are_not_listed(tmp_path, capsys, text):
    write_text(tmp_path / "features" / "x" / "about.json", text)
    assert main(["list", "features", "--results", str(tmp_path)]) == 2
    assert one_line(capsys.readouterr().err)


def test_a_finished_result_comes_back_with_its_data(tmp_path):
    folder = tmp_path / "toy" / "clip" / "probe" / "seed0"
    set_aside(folder, "right")
    write_record(folder, record("clip", fingerprint="right"))
    set_aside(folder, "wrong")
    write_record(folder, record("clip", fingerprint="wrong", status="failed", error="no data"))
    assert kept_aside(folder).name == "seed0-0" and take_back(folder, "other") is None
    assert take_back(folder, "right").status == "done"
    assert read_or_damage(folder)[0].fingerprint == "right" and kept_aside(folder) is None
    assert (folder / "fingerprint").read_text() == "right\n"


def test_what_is_set_aside_never_takes_a_place_that_is_taken(tmp_path):
    folder = tmp_path / "toy" / "clip" / "probe" / "seed0"
    kept = tmp_path / "toy" / ".superseded" / "clip" / "probe"
    (kept / "seed0-1").mkdir(parents=True)  # the first one was removed by hand
    (kept / "seed0-1" / "theirs").touch()
    set_aside(folder, "a")
    assert set_aside(folder, "b") == kept / "seed0-2" and (kept / "seed0-1" / "theirs").exists()


def full(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_full_disk_is_one_line_and_keeps_what_was_there(tmp_path, monkeypatch, capsys):
    path = write_record(tmp_path / "toy" / "clip" / "probe" / "seed0", record("clip"))
    summary = tmp_path / "toy" / "tables" / "summary.md"
    write_text(summary, "before")
    monkeypatch.setattr(plots, "write", lambda *_: [])
    monkeypatch.setattr(Path, "write_text", full)
    assert main(["report", str(tmp_path / "toy")]) == 2
    errors = capsys.readouterr().err
    assert one_line(errors) and "No space left on device" in errors and str(summary) in errors
    assert summary.read_text() == "before" and path.is_file()
    assert not list(tmp_path.rglob(".*.md"))
    monkeypatch.undo()
    tables.write(of_folder(tmp_path / "toy"))  # the next run goes on
    assert summary.read_text() != "before"


def test_a_full_disk_names_the_file(tmp_path):
    (tmp_path / "x").write_text("before")
    with pytest.raises(UserError, match=r"/x cannot be written \(No space left"), replacing(tmp_path / "x"):
        full()
    assert (tmp_path / "x").read_text() == "before"
    assert os.listdir(tmp_path) == ["x"]


def test_a_full_disk_ends_no_work_that_only_tells_how_far_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "write_text", full)
    ProgressFile(tmp_path / "progress.json")("training", 1, 10)
