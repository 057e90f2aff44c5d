"""What is done, left, waited for, and what that would cost: looked up, never computed and never invented."""

from __future__ import annotations

import json

import pytest

from benchmark.cli import main
from benchmark.records.published import Reference, panel_keys, panel_parts
from benchmark.running import needs
from benchmark.running.plan import plan_of
from benchmark.speed.devices import named_device
from benchmark.suites.suite import load_suite
from common.configs import CONFIGS
from common.errors import UserError

DEVICE = named_device("a100_80gb")


def test_what_is_done_and_what_is_left(harness):
    suite = harness.load(backbones={"a": "random:vit_nano_conv16", "b": "random:vit_mini_conv16"}, seeds=2)
    (task,) = plan_of(suite, DEVICE).tasks
    assert (task.cells, task.states, task.seconds, task.detectable) == (4, {"to do": 4}, None, None)
    record, *_ = harness.run(load_suite(str(suite.path), harness.results, seeds=1))
    plan = plan_of(suite, DEVICE, detectable=lambda task: f"2 points on {task.data_name}")
    (task,) = plan.tasks
    assert task.states == {"done": 2, "to do": 2} and task.detectable == "2 points on toy"
    assert 0 < task.seconds < 100 and record.cost.seconds > 0
    assert (plan.done, plan.cells, plan.panels, plan.stages) == (2, 4, [], [])


def test_a_changed_config_and_a_failure_are_done_again(harness):
    harness.run(harness.load("raise"))
    assert plan_of(harness.load("raise"), DEVICE).tasks[0].states == {"failed": 1}
    assert plan_of(harness.load("ok"), DEVICE).tasks[0].states == {"to do": 1}
    harness.run(harness.load("ok"))
    assert plan_of(harness.load({"x": "ok"}), DEVICE).tasks[0].states == {"outdated": 1}


def test_everything_that_is_missing_is_named_with_its_remedy(harness):
    suite = harness.load(
        backbones={"a": "corenet:{weights}/vit_base.pt", "b": "run:/nowhere"},
        data={"toy": "/no/data"},
        partial=True,
    )
    plan = plan_of(suite, DEVICE)
    data, weights, checkpoint = plan.waits_for
    assert data.startswith("data toy: /no/data does not exist: name its folder with --data toy=PATH")
    assert "vit_base.pt does not exist: get https://docs-assets.developer.apple.com" in weights
    assert weights.endswith("and name its folder with --weights DIR")
    assert checkpoint == "/nowhere holds no checkpoint: pre-train it first"
    assert list(plan.waits_for.values()) == [2, 1, 1] and plan.tasks[0].states == {"blocked": 2}


def test_a_partial_suite_runs_what_it_can(harness, capsys):
    suite = harness.suite(
        backbones={"a": "corenet:{weights}/vit_base.pt", "b": "random:vit_nano_conv16"}, partial=True
    )
    words = ["--suite", str(suite), "--results", str(harness.results)]
    assert main(words) == 0
    assert harness.runs == ["random:vit_nano_conv16 0"]
    assert "1 cells wait for data or weights: python run_suite.py plan" in capsys.readouterr().err
    loaded = load_suite(str(suite), harness.results)
    assert [bool(needs.of_cell(loaded, cell)) for cell in loaded.cells()] == [True, False]


def test_a_folder_of_weights_is_looked_in_and_refused_where_it_is_not_one(harness, tmp_path):
    suite = str(harness.suite(backbones={"a": "corenet:{weights}/vit_base.pt"}, partial=True))
    folder = tmp_path / "weights"
    with pytest.raises(UserError, match="there is no such folder"):
        load_suite(suite, harness.results, weights=folder)
    folder.mkdir()
    (folder / "vit_base.pt").write_bytes(b"x")
    loaded = load_suite(suite, harness.results, weights=folder)
    assert loaded.backbones == {"a": f"corenet:{folder}/vit_base.pt"}
    assert plan_of(loaded, DEVICE).tasks[0].states == {"to do": 1}
    assert load_suite(suite, harness.results).backbones["a"].startswith(f"corenet:{harness.results}/weights/")
    with pytest.raises(UserError, match="has no backbone from a folder of released weights"):
        load_suite("smoke", harness.results, weights=folder)


def test_the_plan_of_the_smoke_suite_counts_its_pre_trainings(tmp_path, capsys):
    words = ["plan", "--suite", "smoke", "--results", str(tmp_path)]
    assert main([*words, "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert {stage["state"] for stage in plan["stages"]} == {"to do"} and not plan["waits_for"]
    clip, catlip = plan["stages"]
    assert clip["flops"] > catlip["flops"] > 0 and catlip["device_hours"] > 0
    assert (clip["classes"], catlip["classes"], catlip["assumed"], catlip["samples"]) == (
        None,
        202,
        True,
        1280,
    )
    assert all(task["seconds"] is None for task in plan["tasks"])
    assert not list(tmp_path.iterdir())  # nothing is made
    assert main(words) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80 and "unknown" in out and "202 classes" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--suite", "papr"], "did you mean paper"),
        (["--on", "a101"], "a101"),
        (["--weights", "/no/folder", "--suite", "paper"], "there is no such folder"),
        (["--data", "coc=."], "reads no data called 'coc'"),
        (["--seeds", "0"], "at least one seed"),
    ],
)
def test_bad_input_is_a_line(words, message, tmp_path, capsys):
    assert main(["plan", "--results", str(tmp_path), *words]) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.splitlines()) == 1


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    return load_suite("paper", tmp_path_factory.mktemp("results"))


def test_every_published_figure_is_in_a_panel_and_every_panel_can_be_made():
    reference = Reference()
    for figure in reference.figures:
        assert any(part.shows(figure) for part in reference.panels), figure
    for part in reference.panels:
        assert part.config or part.command or part.missing
        assert not part.config or (CONFIGS / part.config).is_file()
        assert not part.config or part.backbones
        if part.sources:
            assert any(part.shows(figure) for figure in reference.figures), part
    tables = {f"table{number}" for number in range(1, 6)}
    assert panel_parts(reference.panels).keys() >= tables | {f"figure{n}" for n in (1, 2, 3, 4, 6, 7, 8)}
    for parts in panel_parts(reference.panels).values():
        assert len({part.title for part in parts}) == 1


def test_the_suite_of_the_paper_is_the_list_of_its_panels(paper):
    cells = {
        (cell.task.path.relative_to(CONFIGS).as_posix(), cell.name, frozenset(cell.task.axes))
        for cell in paper.cells()
    }
    panels = {key for part in Reference().panels for key in panel_keys(part)}
    assert cells == panels
    assert {entry.data for entry in paper.pretrainings()} == {"cc3m", "datacomp"}
    shares = {cell.task.axes["fraction"] for cell in paper.cells() if "fraction" in cell.task.axes}
    assert sorted(shares) == [0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 0.75, 1.0]


def test_the_plan_of_the_paper_says_what_is_missing(paper, monkeypatch):
    monkeypatch.setattr("benchmark.speed.forecast.per_sample", lambda *_: (2.0, 3.6))
    plan = plan_of(paper, DEVICE)
    assert all(task.states == {"blocked": task.cells} for task in plan.tasks)
    assert all(stage.state == "blocked" for stage in plan.stages)
    base = next(stage for stage in plan.stages if stage.name == "catlip_b_datacomp")
    assert base.samples == 200_000 * 65_536 and base.flops == 2 * base.samples
    assert base.device_hours == pytest.approx(base.samples / 1000) and base.classes == 24_320
    table2 = next(panel for panel in plan.panels if panel.name == "table2")
    assert (table2.done, table2.cells) == (0, 14) and "quoted" in " ".join(table2.missing)
    assert sum("weights" in reason.partition(":")[0] for reason in plan.waits_for) == 4
