"""Cells: their folders, commands, axes and fingerprints."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from benchmark import tasks
from benchmark.suites.cell import Cell, load_task_config
from common.errors import UserError

CONFIG = """
task = dict(type='linear_probe', data='toy', l2=(1e-3, 1.0, 4), workers=2,
            nested=dict(num_workers=1, depth=3))
default_hooks = dict(logger=dict(interval=50))
notes = ['a remark']
"""


@pytest.fixture
def cell_of(tmp_path, monkeypatch):
    """Makes cells of variants of one task config."""
    monkeypatch.setattr("backbones.catalog.backbone_digest", lambda spec: f"digest of {spec}")
    data = tmp_path / "data"
    data.mkdir()
    (data / "labels.json").write_text("[1]")

    def make(text: str = CONFIG, folder: str = "configs", **changes) -> Cell:
        path = tmp_path / folder / "probe.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        overrides = changes.pop("overrides", None)
        values = {
            "suite": "toy",
            "name": "a",
            "backbone": "random:vit_nano_conv16",
            "seed": 0,
            "data": data,
            "results": tmp_path / "results",
        }
        return Cell(**{**values, **changes}, task=load_task_config(path, overrides))

    return make


def test_the_fingerprint_is_the_same_wherever_and_however_it_runs(cell_of, tmp_path):
    reference = cell_of().fingerprint()
    moved = tmp_path / "moved"
    os.rename(tmp_path / "data", moved)
    elsewhere = cell_of(
        CONFIG.replace("workers=2", "workers=16, device='cuda', pin_memory=True")
        .replace("num_workers=1", "num_workers=8")
        .replace("interval=50", "interval=1")
        .replace("a remark", "another"),
        folder="other",
        suite="another",
        name="the same by another name",
        results=tmp_path / "other_results",
        data=moved,
    )
    assert elsewhere.fingerprint() == reference
    reordered = (
        "notes=[]\ntask=dict(nested=dict(depth=3), l2=(1e-3, 1.0, 4), data='toy', type='linear_probe')"
    )
    assert cell_of(reordered, data=moved).fingerprint() == reference


def test_the_fingerprint_changes_with_all_that_decides_the_result(cell_of, tmp_path, monkeypatch):
    seen = {"reference": cell_of().fingerprint()}
    seen["config"] = cell_of(CONFIG.replace("1e-3", "1e-4")).fingerprint()
    seen["nested"] = cell_of(CONFIG.replace("depth=3", "depth=4")).fingerprint()
    seen["override"] = cell_of(overrides={"task.nested.depth": 5}).fingerprint()
    seen["seed"] = cell_of(seed=1).fingerprint()
    seen["weights"] = cell_of(backbone="random:vit_mini_conv16").fingerprint()
    known = tasks.TASKS["linear_probe"]
    changed = replace(known, protocol=known.protocol + 1)
    with monkeypatch.context() as patch:
        patch.setitem(tasks.TASKS, "linear_probe", changed)
        seen["protocol"] = cell_of().fingerprint()
    (tmp_path / "data" / "labels.json").write_text("[2]")
    seen["data"] = cell_of().fingerprint()
    assert len(set(seen.values())) == len(seen)


def test_a_kind_of_task_says_which_config_entries_count(cell_of, monkeypatch):
    text = CONFIG + "model = dict(depth=1)\n"
    before = cell_of(text).fingerprint()
    assert cell_of(text.replace("depth=1)", "depth=2)")).fingerprint() == before
    kind = tasks.TaskType(
        "benchmark.tasks.linear_probe:LinearProbe", protocol=1, config_keys=("task", "model")
    )
    monkeypatch.setitem(tasks.TASKS, "linear_probe", kind)
    before = cell_of(text).fingerprint()
    assert cell_of(text.replace("depth=1)", "depth=2)")).fingerprint() != before


@pytest.mark.parametrize(
    "name",
    [
        "..",
        ".",
        "",
        "../../etc/passwd",
        "/etc",
        "a/b",
        "run:results/x",
        "tables",
        "data",
        "a\\b",
        "x" * 500,
        "\n",
        "ä",
    ],
)
def test_no_name_leaves_the_results_folder(cell_of, tmp_path, name):
    results = (tmp_path / "results").resolve()
    for cell in (cell_of(suite=name), cell_of(name=name)):
        inside = cell.folder.resolve().relative_to(results)
        assert len(inside.parts) == 4 and not any(part.startswith(".") for part in inside.parts)
        assert inside.parts[0] not in {"data", "published"}
        assert inside.parts[1] not in {"pretrain", "tables", "plots"}
        assert all(len(part) < 120 for part in inside.parts)


def test_an_unknown_task_type(tmp_path):
    path = tmp_path / "task.py"
    path.write_text("task = dict(type='linear_prob', data='x')")
    with pytest.raises(UserError, match="did you mean linear_probe"):
        load_task_config(path)
    path.write_text("task = dict(type='no_such_module:Task', data='x')")
    with pytest.raises(UserError, match="cannot be imported"):
        load_task_config(path)
    path.write_text("model = dict()")
    with pytest.raises(UserError, match="is no task config"):
        load_task_config(path)


def test_a_point_on_an_axis_is_in_folder_command_label_and_fingerprint(cell_of):
    plain = cell_of()
    stronger = replace(plain, task=plain.task.at({"feature": "both"}))
    assert stronger.task.cfg.task.feature == "both"
    assert stronger.folder == plain.folder.with_name("feature-both-seed0")
    assert stronger.label.startswith("a / probe, feature=both / ")
    assert stronger.command == f"{plain.command} --axis feature=both"
    assert stronger.identity()["axes"] == {"feature": "both"} and "axes" not in plain.identity()
    by_hand = cell_of(CONFIG.replace("workers=2", "workers=2, feature='both'"))
    assert by_hand.identity()["config"] == stronger.identity()["config"]
    assert len({cell.fingerprint() for cell in (plain, stronger, by_hand)}) == 3


def test_any_entry_is_an_axis_by_its_own_name(cell_of):
    task = cell_of().task
    deeper = task.at({"task.nested.depth": 9, "feature": "both"})
    assert deeper.cfg.task.nested.depth == 9 and deeper.cfg.task.feature == "both"
    assert deeper.label == "probe, task.nested.depth=9, feature=both"
    with pytest.raises(UserError, match="task probe has no axis 'featur': did you mean feature"):
        task.at({"featur": "both"})
    with pytest.raises(UserError, match=r"task\.nested\.dept: probe\.py has no such entry"):
        task.at({"task.nested.dept": 9})
    hostile = replace(cell_of(), task=task.at({"task.nested.depth": "../../x"}))
    assert hostile.folder.parent == cell_of().folder.parent and "/" not in hostile.folder.name
