"""Suites: what they list and what is wrong with them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmark.demo_data import DemoSpec
from benchmark.suites.suite import Pretraining, list_suites, load_suite
from common.errors import UserError


def test_seeds_repeat_pre_training_and_transfer(tmp_path):
    def repeats(**seeds):
        suite = load_suite("demo", tmp_path, **seeds)
        cells = [cell for cell in suite.cells() if cell.task.name == "demo_linear_probe"]
        assert len({cell.folder for cell in cells}) == len(cells)
        places = {entry.backbone: entry for entry in suite.pretrainings()}
        found = {"random": [], "clip": [], "catlip": []}
        for cell in cells:
            made = places[cell.backbone].overrides.get("seed", 0) if cell.backbone in places else None
            assert made == cell.pretraining_seed
            found[cell.name].append((made, cell.seed))
        assert len(places) == len({cell.backbone for cell in cells}) - 1
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


def test_the_search_of_recipes_trains_on_the_demos_pairs_and_nothing_else_of_it(tmp_path):
    demo, tuning = load_suite("demo", tmp_path), load_suite("tuning_pretraining", tmp_path)
    assert tuning.prepare.pop("demo") == demo.prepare["demo"]
    assert tuning.data["pairs"] == demo.data["pairs"]
    assert {tuning.data_of(task).parent.name for task in tuning.tasks} == {"tuning_pretraining"}
    trials = {}
    for entry in tuning.pretraining:
        settings = {key: value for key, value in entry.overrides.items() if not key.startswith("objective.")}
        objective, *_, last = entry.name.split("-")
        trials.setdefault((objective, last == "whole"), []).append(settings)
    whole = [len(trials[objective, True]) for objective in ("clip", "catlip")]
    assert whole[0] == whole[1] >= 2
    clip, catlip = trials["clip", False], trials["catlip", False]
    assert len(clip) == len(catlip) >= 12
    assert clip[1:] == catlip[1:], "every objective has the same points"
    assert clip[0] | {"optimizer.lr": None} == catlip[0] | {"optimizer.lr": None}


TUNING = """
tuning = True
backbones = dict(a="random:vit_nano_conv16")
data = dict(demo_classification="{results}", demo_shifted="{results}", demo_coco="{results}")
tasks = [dict(config="%s", set=%s, further=%s)]
"""


@pytest.mark.parametrize(
    ("config", "settings", "further"),
    [
        ("classification/demo_linear_probe.py", {}, []),
        ("classification/demo_linear_probe.py", {"task.test": "auto"}, []),
        ("classification/demo_linear_probe.py", {"task.test": "val", "task.val": None}, ["demo_shifted"]),
        ("detection/demo_mask_rcnn.py", {}, []),
        ("detection/demo_mask_rcnn.py", {"+task.test": "test"}, []),
    ],
)
def test_a_suite_that_recipes_are_chosen_by_sees_no_test_image(tmp_path, config, settings, further):
    file = tmp_path / "own.py"
    file.write_text(TUNING % (config, settings, further))
    with pytest.raises(UserError, match=r"would look at test images.*task\.test"):
        load_suite(str(file), tmp_path)
    file.write_text(file.read_text().replace("tuning = True", ""))
    assert not load_suite(str(file), tmp_path).tuning


def test_validation_images_take_the_place_of_test_images(tmp_path):
    file = tmp_path / "own.py"
    file.write_text(TUNING % ("detection/demo_mask_rcnn.py", {"+task.test": "val"}, []))
    (task,) = load_suite(str(file), tmp_path).tasks
    assert task.cfg.test_dataloader.dataset.ann_file == "annotations/instances_val.json"
    assert task.cfg.test_evaluator.ann_file.endswith("annotations/instances_val.json")
    file.write_text(file.read_text().replace("demo_mask_rcnn", "coco_mask_rcnn_vit_base"))
    with pytest.raises(UserError, match="its validation images are its test images"):
        load_suite(str(file), tmp_path)


@pytest.mark.parametrize("name", list_suites())
def test_the_suites_that_come_with_the_project_are_sound(name, tmp_path):
    suite = load_suite(name, tmp_path)
    cells = suite.cells()
    asked = sum(len(suite.backbones if task.backbones is None else task.backbones) for task in suite.tasks)
    assert len(cells) == asked * suite.seeds
    cells += suite.curve_cells()
    assert len({cell.folder for cell in cells}) == len(cells)
    made = {f"run:{entry.out}" for entry in suite.pretraining}
    assert made <= set(suite.backbones.values()), "a pre-training nobody uses"
    assert all(path.is_relative_to(tmp_path) for path in suite.data.values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("backbones = {}", r"backbones=\{\}: give one at least"),
        ("backbones = dict(a='random:vit_nano_conv16')", "tasks is missing"),
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
        (
            "backbones = dict(a='random:vit_nano_conv16')\ntasks = [dict(path='x')]",
            r"no entry 'tasks\.0\.path': known: axes, backbones, config, ",
        ),
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


def test_axes_make_a_cell_for_every_combination(tmp_path):
    path = tmp_path / "axes.py"
    head = "backbones = dict(a='random:vit_nano_conv16')\ndata = dict(demo_coco='{results}')\n"
    task = "config='detection/demo_mask_rcnn.py', axes=dict(learning_rate=[1e-3, 3e-3], iterations=[5, 6])"
    path.write_text(head + f"tasks = [dict({task})]")
    cells = load_suite(str(path), tmp_path).cells()
    assert [(c.task.axes["learning_rate"], c.task.axes["iterations"]) for c in cells] == [
        (1e-3, 5), (1e-3, 6), (3e-3, 5), (3e-3, 6)
    ]  # fmt: skip
    assert [c.task.cfg.optim_wrapper.optimizer.lr for c in cells] == [1e-3, 1e-3, 3e-3, 3e-3]
    assert len({cell.folder for cell in cells}) == 4
    assert cells[0].folder.name == "learning_rate-0.001-iterations-5-seed0"
    path.write_text(head + f"tasks = [dict({task.replace('[5, 6]', '5')})]")
    with pytest.raises(UserError, match="axis 'iterations' of demo_mask_rcnn is 5: give a list"):
        load_suite(str(path), tmp_path)


def test_a_task_may_be_for_some_backbones_alone(tmp_path):
    path = tmp_path / "some.py"
    text = (
        "backbones = dict(a='random:vit_nano_conv16', b='random:vit_mini_conv16')\n"
        "data = dict(demo_classification='x')\n"
        "tasks = ['classification/demo_knn.py',\n"
        "    dict(config='classification/demo_fewshot.py', backbones=[{}])]\n"
    )
    path.write_text(text.format("'b'"))
    cells = [(cell.name, cell.task.name) for cell in load_suite(str(path), tmp_path).cells()]
    assert cells == [("a", "demo_knn"), ("b", "demo_knn"), ("b", "demo_fewshot")]
    path.write_text(text.format("'bb'"))
    with pytest.raises(UserError, match=r"demo_fewshot: no backbone is called 'bb': did you mean b"):
        load_suite(str(path), tmp_path)
