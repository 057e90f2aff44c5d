"""Clumsy and hostile input of suites, results and reports: each ends in one line or in the right result."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest
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
from common.names import suggest
from common.progress import ProgressFile, read_progress

KNN = "classification/demo_knn.py"
FINETUNE = "classification/demo_finetune.py"
SEGMENTATION = "segmentation/demo_linear_seg.py"
SUITE = f"""
backbones = dict(r="random:vit_nano_conv16")
tasks = ["{KNN}"]
data = dict(demo_classification="{{results}}/pictures")
"""
TASK = f"tasks = [dict(config={KNN!r}, %s)]"
CLIP = "pretraining = dict(c=dict(config='pretraining/demo_clip.py', %s))"


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def one_line(text: str) -> bool:
    """Whether a terminal shows this as a single line, whatever it is."""
    return text.count("\n") == 1 and text.endswith("\n") and text.rstrip("\n").isprintable()


SUITES = {
    "a config that exits": ("raise SystemExit(3)", "SystemExit: 3"),
    "a config without an end": ("def f(): return f()\nf()", "RecursionError"),
    "a config with a syntax error": ("x = (", "SyntaxError"),
    "a config that imports what is missing": ("from nowhere import x\nseeds = x", "give a whole number"),
    "seeds are text": ("seeds = 'x'", "seeds='x': give a whole number"),
    "seeds are a truth": ("seeds = True", "seeds=True: give a whole number"),
    "seeds without number": ("seeds = float('nan')", "seeds=nan: give a whole number"),
    "seeds for a century": ("seeds = 10**9", "less than or equal to 1000"),
    "no seed for pre-training": ("pretraining_seeds = 0", "pretraining_seeds=0"),
    "a list of backbones": ("backbones = ['a']", "backbones=['a']: give dict(...)"),
    "a backbone that is a number": ("backbones = dict(r=3)", "backbones.r=3: give text"),
    "a backbone with a NUL": ("backbones = dict(r='run:a\\0b')", "cannot hold a NUL"),
    "a name that is no UTF-8": ("backbones = {'\\udcff': 'random:vit_nano_conv16'}", "backbones"),
    "tasks are text": (f"tasks = {KNN!r}", "give a list"),
    "a task that is a number": ("tasks = [3]", "tasks.0=3"),
    "a config that is a number": ("tasks = [dict(config=3)]", "tasks.0.config=3: give text"),
    "a config with a NUL": ("tasks = ['a\\0b']", "NUL"),
    "overrides are a number": (TASK % "set=3", "tasks.0.set=3: give dict(...)"),
    "a misspelt override": (TASK % "set={'task.featur': 'both'}", "did you mean task.feature"),
    "a misspelt entry of a task": (TASK % "sets={}", "did you mean set"),
    "a task's name is a list": (TASK % "name=[1]", "tasks.0.name=[1]: give text"),
    "axes are a list": (TASK % "axes=[1]", "tasks.0.axes=[1]: give dict(...)"),
    "an axis nobody knows": (TASK % "axes=dict(featur=['both'])", "no axis 'featur': did you mean feature"),
    "backbones of a task are text": (TASK % "backbones='r'", "tasks.0.backbones='r': give a list"),
    "further sets are a number": (TASK % "further=3", "tasks.0.further=3: give a list"),
    "data are a list": ("data = ['x']", "data=['x']: give dict(...)"),
    "data are a number": ("data = dict(demo_classification=3)", "data.demo_classification=3: give text"),
    "data of another name": ("data = dict(demo_clasification='x')", "nothing provides"),
    "prepare leads outside": (
        "prepare = {'../../x': dict(type='benchmark.demo_data:draw')}",
        "the name is that of a folder",
    ),
    "prepare with a separator": ("prepare = {'a/b': dict(type='x:y')}", "the name is that of a folder"),
    "prepare is hidden": ("prepare = {'.x': dict(type='x:y')}", "the name is that of a folder"),
    "prepare is a number": ("prepare = dict(x=3)", "prepare.x=3: give dict(...)"),
    "a misspelt entry of the vocabulary": ("vocabulary = dict(min_cuont=2)", "did you mean min_count"),
    "a vocabulary of minus one": ("vocabulary = dict(min_count=-1)", "vocabulary.min_count=-1"),
    "pre-trainings are a list": ("pretraining = ['x']", "pretraining=['x']: give dict(...)"),
    "a recipe's entry misspelt": (CLIP % "set={'sampels': 3}", "sampels"),
    "a recipe for minus one": (CLIP % "set={'samples': -1}", "samples"),
    "a margin of nothing": ("margins = dict(top1=0.0)", "margins.top1=0.0"),
    "a margin that is no number": ("margins = dict(top1=float('nan'))", "margins.top1=nan"),
    "partial is text": ("partial = 'no'", "partial='no': give True or False"),
    "a baseline nobody is": ("baseline = 'rr'", "did you mean r"),
    "an entry misspelt": ("backbone = dict()", "did you mean backbones"),
    "a curve that is a number": ("curve = 3", "curve is 3"),
}


@pytest.mark.parametrize(("text", "message"), SUITES.values(), ids=SUITES)
def test_a_suite_that_cannot_be_is_told_before_anything_runs(tmp_path, capsys, text, message):
    suite = tmp_path / "mine.py"
    suite.write_text(SUITE + text + "\n", encoding="utf-8")
    before = content(tmp_path)
    assert main(["plan", "--suite", str(suite), "--results", str(tmp_path / "results")]) == 2
    errors = capsys.readouterr().err
    assert one_line(errors) and message in errors
    assert content(tmp_path) == before


SETTINGS = {
    "a number for a list": (KNN, "--set task.k=3", "k=3: give a list"),
    "a name that is no choice": (KNN, "--set task.units=image", "units='image': did you mean images"),
    "no images at once": (KNN, "--set task.encode_batch_size=0", "encode_batch_size=0"),
    "fewer workers than none": (KNN, "--set task.workers=-1", "workers=-1"),
    "a task's entry misspelt": (KNN, "--set +task.temprature=1", "did you mean temperature"),
    "nested without an end": (KNN, "--set task.k=" + "(" * 5000, "give a list"),
    "no kind of task": (KNN, "--set task.type=3", "type=3: give text"),
    "a kind of task misspelt": (KNN, "--set task.type=knnn", "did you mean knn"),
    "data that are a number": (KNN, "--set task.data=3", "data=3: give text"),
    "a task that is a number": (KNN, "--set task=3", "is no task config"),
    "an override with a terminal's escape": (KNN, "--set task.\x1b]0;x\x07=3", r"\x1b]0;x\x07"),
    "an axis misspelt": (KNN, "--axis featur=both", "did you mean feature"),
    "another library's word": (
        FINETUNE,
        "--set optimizer.learning_rate=1",
        "did you mean optim_wrapper.optimizer.lr",
    ),
    "a learning rate beyond all": (FINETUNE, "--set optim_wrapper.optimizer.lr=1e30", "optimizer.lr=1e+30"),
    "a learning rate of text": (FINETUNE, "--set optim_wrapper.optimizer.lr=fast", "give a number"),
    "a learning rate that is none": (FINETUNE, "--axis learning_rate=-1", "optimizer.lr=-1"),
    "betas above one": (FINETUNE, "--set +optim_wrapper.optimizer.betas=(2.0,0.9)", "betas.0=2.0"),
    "a batch of none": (FINETUNE, "--set train_dataloader.batch_size=0", "train_dataloader.batch_size=0"),
    "negative readers": (FINETUNE, "--set test_dataloader.num_workers=-2", "test_dataloader.num_workers=-2"),
    "an epoch and a half": (FINETUNE, "--set train_cfg.max_epochs=1.5", "give a whole number"),
    "no iteration": (SEGMENTATION, "--set train_cfg.max_iters=0", "train_cfg.max_iters=0"),
    "a data set misspelt": (KNN, "--data imagnet=.", "reads no data called 'imagnet'"),
    "a backbone misspelt": (KNN, "--backbone rndom:x", "did you mean random"),
    "a backbone with a NUL": (KNN, "--backbone run:a\0b", r"a\x00b"),
    "a backbone that is no UTF-8": (KNN, "--backbone run:\udcff", r"\udcff: this is no UTF-8"),
    "data with a terminal's escape": (KNN, "--data demo_classification=/\x1b]0;x\x07", r"\x1b]0;x\x07"),
}


@pytest.mark.parametrize(("config", "words", "message"), SETTINGS.values(), ids=SETTINGS)
def test_a_setting_that_cannot_be_is_told_before_the_cell_runs(tmp_path, capsys, config, words, message):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    name = "demo_ade20k" if config == SEGMENTATION else "demo_classification"
    arguments = ["run", config, "--results", str(tmp_path / "results")]
    arguments += ["--backbone", "random:vit_nano_conv16", "--data", f"{name}={pictures}"]
    assert main([*arguments, *words.split(" ", 1)]) == 2
    errors = capsys.readouterr().err
    assert one_line(errors) and message in errors
    assert not list(tmp_path.rglob("record.json"))


WORDS = {
    "a suite with a NUL": (["plan", "--suite", "a\0b.py"], r"a\x00b"),
    "a suite that sets the title": (["plan", "--suite", "\x1b]0;owned\x07"], r"\x1b]0;owned\x07"),
    "a suite of 5000 letters": (["plan", "--suite", "a" * 5000 + ".py"], "File name too long"),
    "a folder that is no UTF-8": (["report", "/\udcff"], "this is no UTF-8"),
    "a folder with a NUL": (["report", "a\0b"], "null byte"),
    "data misspelt": (["--data", "pair=/mine"], "did you mean pairs"),
    "weights nobody looks for": (["plan", "--weights", "/nowhere"], "no backbone from a folder"),
    "a device misspelt": (["plan", "--on", "a100_80bg"], "did you mean a100_80gb"),
    "a kind misspelt": (["list", "tassk"], "did you mean tasks"),
    "a pattern that steers": (["list", "tasks", "\x9b31m"], r"\x9b31m"),
    "a command that steers": (["\x1b[2J"], r"\x1b[2J"),
    "seeds for a century": (["--seeds", "1000000000"], "--seeds 1000000000"),
    "a format misspelt": (["export", "/nowhere", "--to", "hff"], "the formats are"),
}


@pytest.mark.parametrize(("words", "message"), WORDS.values(), ids=WORDS)
def test_a_word_that_means_nothing_is_one_line(tmp_path, capsys, words, message):
    folder = ["--results", str(tmp_path)] if words[0] in ("plan", "--data", "--seeds") else []
    assert main([*words, *folder]) == 2
    errors = capsys.readouterr().err
    assert one_line(errors) and message in errors
    assert not list(tmp_path.iterdir())


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
    with pytest.raises(OSError) as caught, replacing(tmp_path / "x"):
        full()
    assert caught.value.filename == str(tmp_path / "x") and (tmp_path / "x").read_text() == "before"
    assert os.listdir(tmp_path) == ["x"]


def test_a_full_disk_ends_no_work_that_only_tells_how_far_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "write_text", full)
    ProgressFile(tmp_path / "progress.json")("training", 1, 10)


@pytest.mark.parametrize(
    ("iterations", "said"),
    [
        (200, None),
        (150, "are over before the schedule"),
        (350, "ends at 200"),
        (5, "within the 20 of the warm-up"),
    ],
)
def test_a_schedule_that_does_not_follow_the_length_is_told(iterations, said):
    from benchmark.suites.cell import load_task_config

    task = load_task_config("segmentation/demo_deeplabv3.py", {"train_cfg.max_iters": iterations})
    assert task.warning is None if said is None else said in task.warning


def test_a_suggestion_knows_other_libraries_words():
    assert suggest("optimizer.learning_rate", ["optim.lr", "optimizer.lr"]).startswith(
        "did you mean optimizer.lr"
    )
