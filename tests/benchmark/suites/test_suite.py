"""Suites, names and fingerprints."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark import tasks
from benchmark.demo_data import DemoSpec
from benchmark.suites.fingerprint import data_digest
from benchmark.suites.suite import Cell, Pretraining, list_suites, load_suite, load_task_config
from common.configs import override_words, parse_data, parse_overrides, read_config
from common.errors import UserError
from common.names import slug, suggest

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
            "backbone": "a",
            "spec": "random:vit_nano_conv16",
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
        backbone="the same by another name",
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
    seen["weights"] = cell_of(spec="random:vit_mini_conv16").fingerprint()
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


def test_data_digests_are_remembered_until_a_file_is_touched(tmp_path, monkeypatch):
    folder, results = tmp_path / "data" / "deep", tmp_path / "results"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text("1")
    first = data_digest(tmp_path / "data", results)
    calls = []
    monkeypatch.setattr(
        "benchmark.suites.fingerprint.folder_digest", lambda root: calls.append(root) or "fresh"
    )
    assert data_digest(tmp_path / "data", results) == first and not calls
    (folder / "a.json").write_text("2")
    os.utime(folder / "a.json", ns=(1, 2**62))
    assert data_digest(tmp_path / "data", results) == "fresh"
    (results / ".digests.json").write_text("{torn")
    assert data_digest(tmp_path / "data", results) == "fresh" and len(calls) == 2
    os.symlink(tmp_path / "data", folder / "loop")  # must end all the same
    os.symlink(tmp_path / "nothing", folder / "broken")
    assert data_digest(tmp_path / "data", results) == "fresh"
    with pytest.raises(UserError, match="does not exist"):
        data_digest(tmp_path / "nowhere", results)


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
    for cell in (cell_of(suite=name), cell_of(backbone=name)):
        inside = cell.folder.resolve().relative_to(results)
        assert len(inside.parts) == 4 and not any(part.startswith(".") for part in inside.parts)
        assert inside.parts[0] not in {"data", "published"}
        assert inside.parts[1] not in {"pretrain", "tables", "plots"}
        assert all(len(part) < 120 for part in inside.parts)


def test_seeds_repeat_pre_training_and_transfer(tmp_path):
    def repeats(**seeds):
        suite = load_suite("demo", tmp_path, **seeds)
        cells = [cell for cell in suite.cells() if cell.task.type == "linear_probe"]
        assert len({cell.folder for cell in cells}) == len(cells)
        places = {entry.backbone: entry for entry in suite.pretrainings()}
        found = {"random": [], "clip": [], "catlip": []}
        for cell in cells:
            made = places[cell.spec].overrides.get("seed", 0) if cell.spec in places else None
            assert made == cell.pretraining_seed
            found[cell.backbone].append((made, cell.seed))
        assert len(places) == len({cell.spec for cell in cells}) - 1
        assert found["clip"] == found["catlip"]
        return found["clip"], found["random"]

    assert repeats() == ([(0, 0)], [(None, 0)])
    assert repeats(seeds=2) == ([(0, 0), (1, 1)], [(None, 0), (None, 1)])
    assert repeats(pretraining_seeds=2) == ([(0, 0), (1, 0)], [(None, 0)])
    crossed = [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert repeats(seeds=2, pretraining_seeds=2) == (crossed, [(None, 0), (None, 1)])


def test_repeated_pre_trainings_count_from_the_configs_own_seed(tmp_path):
    config = tmp_path / "own.py"
    config.write_text("seed = 5\n")
    entry = Pretraining("own", config, {}, tmp_path / "own")
    assert entry.repeated(0) is entry
    assert entry.repeated(2).overrides == {"seed": 7}
    assert replace(entry, overrides={"seed": 1}).repeated(2).overrides == {"seed": 3}


def test_data_that_nothing_reads_are_refused(tmp_path):
    for name, hint in (("pair", "did you mean pairs"), ("demo_coc", "did you mean demo_coco")):
        with pytest.raises(UserError, match=f"--data {name}=.*suite demo reads no data called .*{hint}"):
            load_suite("demo", tmp_path, data={name: tmp_path})
    with pytest.raises(UserError, match="no data called 'pairs'"):  # this suite pre-trains nothing
        load_suite("tuning", tmp_path, data={"pairs": tmp_path})


def test_no_choice_is_made_on_the_demos_test_images(tmp_path):
    def spec_of(fields):
        assert fields["type"] == "benchmark.demo_data:draw"
        return DemoSpec.from_config({name: value for name, value in fields.items() if name != "type"})

    demo, tuning = load_suite("demo", tmp_path), load_suite("tuning", tmp_path)
    drawn = spec_of(demo.prepare["demo"])
    for name, fields in tuning.prepare.items():
        spec = spec_of(fields)
        assert not {spec.seed, spec.test_seed} & {drawn.seed, drawn.test_seed}, name
    folders = {tuning.data_of(task) for task in tuning.tasks}
    assert {folder.relative_to(tmp_path / "data").parts[0] for folder in folders} <= set(tuning.prepare)


def test_two_names_never_share_a_folder():
    names = ["a/b", "a-b", "a b", "a:b", "a--b", "tables", ".hidden", "hidden"]
    assert len({slug(name) for name in names}) == len(names)
    assert slug("vit_base-16.catlip") == "vit_base-16.catlip"


def test_suggestions():
    assert suggest("dmo", ["demo", "smoke"]).startswith("did you mean demo")
    assert suggest("zzz", ["demo", "smoke"]) == "known: demo, smoke"
    assert suggest("zzz", []) == "there is none yet"


@pytest.mark.parametrize("name", list_suites())
def test_the_suites_that_come_with_the_project_are_sound(name, tmp_path):
    suite = load_suite(name, tmp_path)
    cells = suite.cells()
    assert len(cells) == len(suite.backbones) * len(suite.tasks) * suite.seeds
    assert len({cell.folder for cell in cells}) == len(cells)
    made = {f"run:{entry.out}" for entry in suite.pretraining}
    assert made <= set(suite.backbones.values()), "a pre-training nobody uses"
    assert all(path.is_relative_to(tmp_path) for path in suite.data.values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("backbones = {}", "needs backbones"),
        ("backbones = dict(a='random:vit_nano_conv16')", "needs tasks"),
        ("backbones = dict(a='rndom:x')\ntasks = ['classification/demo_linear_probe.py']", "random"),
        (
            "backbones = dict(a='random:vit_nano_conv16')\ntasks = ['nowhere.py']",
            "'nowhere.py' does not exist",
        ),
        ("backbone = dict()", "did you mean backbones"),
        ("this is no python", "no valid config"),
        ("backbones = 1 / 0", "ZeroDivisionError"),
        (
            "backbones = dict(a='random:vit_nano_conv16')\ntasks = ['classification/demo_linear_probe.py']",
            "nothing provides",
        ),
        ("backbones = dict(a='random:vit_nano_conv16')\ntasks = [dict(path='x')]", "neither a path nor dict"),
    ],
)
def test_a_broken_suite_is_the_users_error(tmp_path, text, message):
    path = tmp_path / "broken.py"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        load_suite(str(path), tmp_path)
    assert "\n" not in str(caught.value)


def test_two_tasks_need_two_names(tmp_path):
    path = tmp_path / "twice.py"
    task = "classification/demo_linear_probe.py"
    head = "backbones = dict(a='random:vit_nano_conv16')\ndata = dict(demo_classification='{results}')\n"
    path.write_text(head + f"tasks = ['{task}', dict(config='{task}', set={{'task.feature': 'both'}})]")
    with pytest.raises(UserError, match="two tasks are called"):
        load_suite(str(path), tmp_path)
    path.write_text(
        head + f"tasks = ['{task}', dict(config='{task}', set={{'task.feature': 'both'}}, name='b')]"
    )
    suite = load_suite(str(path), tmp_path, seeds=2)
    assert [task.name for task in suite.tasks] == ["demo_linear_probe", "b"]
    assert "--set task.feature=both" in suite.cells()[-1].command and len(suite.cells()) == 4


def test_overrides_are_literals_or_text_and_survive_the_command_line():
    pairs = ["a=1", "b.c=1e-3", "d=(1, 2)", "e=both", "f=true", "g=x=y", "h=None", "+i={'j': 'k'}"]
    values = parse_overrides(pairs)
    assert list(values.values()) == [1, 1e-3, (1, 2), "both", True, "x=y", None, {"j": "k"}]
    values["text"] = "1"  # a text that looks like a number
    assert parse_overrides(override_words(values)[1::2]) == values
    for wrong in ("a", "=1", "+=1", "."):
        with pytest.raises(UserError, match="--set key=value"):
            parse_overrides([wrong])


def test_a_misspelt_override_is_an_error_and_an_addition_is_not(tmp_path):
    path = tmp_path / "config.py"
    path.write_text("optimizer = dict(lr=1.0, steps=[dict(at=1)])")
    assert read_config(path, {"optimizer.lr": 2.0}).optimizer.lr == 2.0
    assert read_config(path, {"optimizer.steps.0.at": 7}).optimizer.steps[0].at == 7
    assert read_config(path, {"+optimizer.momentum": 0.9}).optimizer.momentum == 0.9
    with pytest.raises(UserError, match=r"did you mean optimizer\.lr"):
        read_config(path, {"optimizer.lrr": 2.0})


def test_reading_a_config_imports_nothing_it_names(tmp_path):
    path = tmp_path / "config.py"
    path.write_text("custom_imports = dict(imports=['no_such_module_at_all'], allow_failed_imports=False)")
    assert read_config(path).custom_imports


def test_data_paths():
    assert parse_data(["coco=/data/a=b"]) == {"coco": Path("/data/a=b")}
    for wrong in ("coco", "=x", "coco="):
        with pytest.raises(UserError, match="NAME=PATH"):
            parse_data([wrong])


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
