"""Cells in child processes: reuse, failures, races, stopping."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from waiting import wait_for

from backbones.card import Card
from benchmark.records.store import read_record, set_aside
from benchmark.running.launchers.local import LocalLauncher, default_slots
from common.errors import UserError
from common.locks import FolderLock

PROJECT = Path(__file__).resolve().parents[3]


def test_a_finished_cell_is_a_record_and_is_not_computed_again(harness):
    suite = harness.load()
    record = harness.run(suite)[0]
    cell = suite.cells()[0]
    assert record.status == "done" and record.headline.value == 50.0
    assert record.fingerprint == cell.fingerprint()
    assert record.command.startswith("python run_suite.py run ")
    assert record.environment.packages["torch"]
    assert {path.name for path in cell.folder.iterdir()} == {
        "record.json",
        "config.py",
        "train.log",
        "fingerprint",
    }
    assert "this goes to the log" in (cell.folder / "train.log").read_text()
    assert harness.run(suite)[0] == record
    assert len(harness.runs) == 1


def test_data_that_changed_since_are_noted_and_the_number_stays(harness, capsys):
    suite = harness.load()
    record = harness.run(suite)[0]
    assert "note:" not in capsys.readouterr().err
    file = suite.cells()[0].folder / "record.json"
    file.write_text(file.read_text().replace(record.finished, "2020-01-01T00:00:00+00:00"))
    assert harness.run(suite)[0].status == "done" and len(harness.runs) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert f"something in {harness.data} changed at" in said and "pictures were not compared" in said


@pytest.mark.parametrize(
    ("behaviour", "kind", "message"),
    [
        ("raise", "RuntimeError", "it broke in two lines"),
        ("kill", "Killed", "killed by SIGKILL"),
        ("exit", "Died", "exit code 7"),
        ("nan", "FloatingPointError", "metric top1 is nan"),
        ("user error", "UserError", "picture.jpg is no image"),
    ],
)
def test_a_failure_is_a_record_with_its_log(harness, behaviour, kind, message):
    suite = harness.load(behaviour)
    record = harness.run(suite)[0]
    assert (record.status, record.error_type) == ("failed", kind)
    assert message in record.error
    assert any("this goes to the log" in line for line in record.log_tail)
    assert read_record(suite.cells()[0].folder) == record
    # kept, and computed again on request only
    assert harness.run(suite)[0] == record and len(harness.runs) == 1
    assert harness.run(suite, retry_failed=True)[0].status == "failed" and len(harness.runs) == 2


def test_a_failing_cell_does_not_end_the_others(harness):
    specs = {"a": "random:vit_nano_conv16", "b": "random:vit_mini_conv16", "c": "random:vit_tiny_conv16"}
    suite = harness.load({specs["b"]: "kill"}, specs)
    records = harness.run(suite, slots=3)
    assert [record.status for record in records] == ["done", "failed", "done"]
    assert [record.backbone.name for record in records] == ["a", "b", "c"]


def test_a_missing_backbone_is_a_failed_row_and_computed_once_it_is_there(harness, monkeypatch):
    suite = harness.load(backbones={"mine": f"run:{harness.root}/weights"})
    record = harness.run(suite)[0]
    assert record.status == "failed" and record.fingerprint is None and "weights" in record.error
    assert harness.run(suite)[0] == record and not harness.runs
    monkeypatch.setattr("backbones.catalog.backbone_digest", lambda spec: "digest")
    monkeypatch.setattr("backbones.catalog.describe", lambda spec: Card(objective="catlip"))
    assert harness.run(suite)[0].status == "done"


def test_a_changed_config_sets_the_old_result_aside(harness):
    old = harness.load("ok").cells()[0]
    first = harness.run(harness.load("ok"))[0]
    (old.folder / "epoch_3.pth").write_text("a checkpoint of the old config")
    second = harness.run(harness.load("other"))[0]
    assert second.fingerprint != first.fingerprint and second.status == "done"
    assert not (old.folder / "epoch_3.pth").exists()
    kept = harness.results / "toy" / ".superseded" / "a" / "task" / "seed0-0"
    assert read_record(kept) == first and (kept / "epoch_3.pth").exists()


def test_a_wrong_data_folder_hides_no_finished_result(harness, tmp_path):
    first = harness.run(harness.load())[0]
    for place in (tmp_path / "nowhere", tmp_path):  # what cannot start, and what fails
        harness.data, right = place, harness.data
        failed = harness.run(harness.load("user error" if place == tmp_path else "ok"))[0]
        assert failed.status == "failed" and "the result of before is kept in" in failed.error
        assert ".superseded/a/task/seed0-" in failed.error
        harness.data = right
        runs = len(harness.runs)
        assert harness.run(harness.load())[0] == first and len(harness.runs) == runs


def test_an_interrupted_cell_keeps_its_folder_for_resuming(harness):
    cell = harness.load().cells()[0]
    assert set_aside(cell.folder, cell.fingerprint()) is None
    (cell.folder / "checkpoint.pth").write_text("half way")
    assert harness.run(harness.load())[0].status == "done"
    assert (cell.folder / "checkpoint.pth").exists()


def test_a_corrupt_record_is_reported_and_computed_again(harness, caplog):
    suite = harness.load()
    harness.run(suite)
    path = suite.cells()[0].folder / "record.json"
    path.write_text(path.read_text()[:100])
    assert harness.run(suite)[0].status == "done"
    assert len(harness.runs) == 2 and str(path) in caplog.text


def test_a_record_of_a_newer_schema_is_refused_by_name(harness):
    suite = harness.load()
    harness.run(suite)
    path = suite.cells()[0].folder / "record.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 99}))
    with pytest.raises(UserError, match=r"record\.json has schema version 99"):
        harness.run(suite)
    assert len(harness.runs) == 1


def test_a_record_of_a_schema_without_places_on_the_way_is_one_of_an_end(harness):
    suite = harness.load()
    harness.run(suite)
    path = suite.cells()[0].folder / "record.json"
    old = {**json.loads(path.read_text()), "schema_version": 3}
    del old["pretraining_samples"]
    path.write_text(json.dumps(old))
    (record,) = harness.run(suite)
    assert record.schema_version == 3 and record.pretraining_samples is None and len(harness.runs) == 1


def command(harness, *more: str) -> list[str]:
    program = [sys.executable, str(PROJECT / "run_suite.py"), "--suite", str(harness.root / "toy.py")]
    return [*program, "--results", str(harness.results), *more]


def test_two_processes_compute_a_cell_once(harness):
    harness.suite("wait")
    both = [
        subprocess.Popen(command(harness), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    wait_for(lambda: harness.runs, seconds=20)
    time.sleep(0.5)
    harness.runs_file.with_suffix(".go").touch()
    outputs = [process.communicate(timeout=30) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert len(harness.runs) == 1
    assert all("50.0 [40.0, 60.0]" in out for out, _ in outputs)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_suite_ends_its_children_and_keeps_what_is_done(harness, number):
    specs = {"a": "random:vit_nano_conv16", "b": "random:vit_mini_conv16"}
    harness.suite({specs["b"]: "wait"}, specs)
    process = subprocess.Popen(
        command(harness, "--jobs", "1"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: len(harness.runs) == 2, seconds=20)
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors.strip().splitlines()[-1].startswith("stopped;") and "Traceback" not in errors
    done, stopped = (cell.folder for cell in harness.load({specs["b"]: "wait"}, specs).cells())
    assert read_record(done).status == "done"
    assert read_record(stopped) is None
    lock = FolderLock(stopped)
    assert lock.acquire(), "a child is still at it"
    lock.release()


def test_a_killed_suite_leaves_its_child_to_finish_the_cell(harness):
    suite = harness.load("wait")
    process = subprocess.Popen(command(harness), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: harness.runs, seconds=20)
    process.kill()
    process.wait()
    lock = FolderLock(suite.cells()[0].folder)
    assert not lock.acquire(), "the child holds the lock by itself"
    harness.runs_file.with_suffix(".go").touch()
    assert harness.run(suite)[0].status == "done"
    assert len(harness.runs) == 1


def test_children_share_the_cores_unless_one_is_alone(tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("benchmark.running.launchers.local.cores", lambda: 8)
    program = [sys.executable, "-c", "import os; print(os.environ.get('OMP_NUM_THREADS'))"]
    for alone, threads in ((False, "2"), (True, "None")):
        child = LocalLauncher(4).start(program, tmp_path / "log", alone=alone)
        wait_for(lambda child=child: child.poll() is not None, seconds=20)
        assert child.tail() == [threads]


@pytest.mark.parametrize(
    ("available", "memory", "slots"), [(8, 64 << 30, 4), (2, None, 2), (8, 7 << 30, 2), (4, 1, 1)]
)
def test_cells_at_once_are_as_many_as_cores_and_memory_allow(monkeypatch, available, memory, slots):
    monkeypatch.setattr("common.machine.cores", lambda: available)
    monkeypatch.setattr("common.machine.available_memory", lambda: memory)
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(()))
    assert default_slots() == slots
