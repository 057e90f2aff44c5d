"""Where a suite looks at its pre-trainings on their way."""

from __future__ import annotations

import pytest

from benchmark.suites.curve import Curve, read_curve
from benchmark.suites.suite import load_suite
from common.errors import UserError

SUITE = """
pretraining = dict(clip=dict(config="pretraining/demo_clip.py", set={"samples": 1280}))
backbones = dict(random="random:vit_mini_conv16", clip="run:{suite}/pretrain/clip")
tasks = ["classification/demo_linear_probe.py", "detection/demo_mask_rcnn.py"]
data = dict(pairs="{results}/p", demo_classification="{results}/c", demo_coco="{results}/d")
"""
PROBE = 'curve = dict(samples=[256, 640], tasks=["demo_linear_probe"])\n'


@pytest.fixture
def load(tmp_path):
    def make(text, **seeds):
        path = tmp_path / "toy.py"
        path.write_text(text)
        return load_suite(str(path), tmp_path / "results", **seeds)

    return make


def test_points_are_of_what_the_suite_pre_trains_and_no_cells_of_the_table(load):
    suite = load(SUITE + PROBE)
    assert len(suite.cells()) == 4 and all(cell.pretraining_samples is None for cell in suite.cells())
    cells = suite.curve_cells()
    assert [(cell.name, cell.task.name, cell.pretraining_samples) for cell in cells] == [
        ("clip", "demo_linear_probe", 256),
        ("clip", "demo_linear_probe", 640),
    ]
    (entry,) = suite.pretrainings()
    assert entry.overrides["keep"] == [256, 640]
    assert cells[0].backbone == f"run:{entry.out}/kept/256"
    assert cells[0].folder.name == "samples256-seed0"
    assert cells[0].label == "clip / demo_linear_probe / after 256 samples, seed 0"
    assert "kept/256" in cells[0].command


def test_every_seed_has_its_points(load):
    suite = load(SUITE + PROBE, seeds=2)
    found = {(cell.backbone.split("pretrain/")[1], cell.folder.name) for cell in suite.curve_cells()}
    assert found == {
        ("clip/kept/256", "samples256-seed0"),
        ("clip/kept/640", "samples640-seed0"),
        ("clip-seed1/kept/256", "pretraining1-samples256-seed1"),
        ("clip-seed1/kept/640", "pretraining1-samples640-seed1"),
    }
    crossed = load(SUITE + PROBE, seeds=2, pretraining_seeds=2).curve_cells()
    assert len({cell.folder for cell in crossed}) == len(crossed) == 8


def test_without_a_curve_nothing_is_kept(load):
    suite = load(SUITE)
    assert suite.curve is None and suite.curve_cells() == [] and suite.pretrainings()[0].kept == {}
    assert "keep" not in suite.pretrainings()[0].overrides


def test_where_a_point_is_is_no_part_of_a_cells_identity(load, monkeypatch):
    import backbones.catalog

    monkeypatch.setattr(backbones.catalog, "backbone_digest", lambda backbone: "weights")
    monkeypatch.setattr("benchmark.suites.cell.data_digest", lambda *place: "data")
    suite = load(SUITE + PROBE)
    end = next(cell for cell in suite.cells() if cell.name == "clip")
    assert {cell.fingerprint() for cell in suite.curve_cells()} == {end.fingerprint()}


@pytest.mark.parametrize(
    ("curve", "message"),
    [
        ("[640]", "curve is .*write dict"),
        ("dict(samples=[640])", "curve is .*write dict"),
        ("dict(samples=[640], tasks=['demo_linear_probe'], seeds=2)", "curve is .*write dict"),
        ("dict(samples=[], tasks=['demo_linear_probe'])", "samples is .*rising counts"),
        ("dict(samples=640, tasks=['demo_linear_probe'])", "samples is 640: .*rising counts"),
        ("dict(samples=[640, 256], tasks=['demo_linear_probe'])", "rising counts"),
        ("dict(samples=[640, 640], tasks=['demo_linear_probe'])", "rising counts"),
        ("dict(samples=[0, 640], tasks=['demo_linear_probe'])", "from 1"),
        ("dict(samples=[True], tasks=['demo_linear_probe'])", "rising counts"),
        ("dict(samples=[0.5], tasks=['demo_linear_probe'])", "rising counts"),
        ("dict(samples=[640], tasks='demo_linear_probe')", "tasks is 'demo_linear_probe': give a list"),
        ("dict(samples=[640], tasks=[])", "give a list of names"),
        ("dict(samples=[640], tasks=['demo_linear_prob'])", "no task 'demo_linear_prob': did you mean"),
        ("dict(samples=[1280], tasks=['demo_linear_probe'])", "curve: .*1280 samples are not on the way"),
        ("dict(samples=[100], tasks=['demo_linear_probe'])", "curve: .*100 samples are not on the way"),
    ],
)
def test_an_impossible_curve_is_the_users_error(load, curve, message):
    with pytest.raises(UserError, match=message) as caught:
        load(SUITE + f"curve = {curve}\n")
    assert "\n" not in str(caught.value) and "toy.py" in str(caught.value)


def test_a_curve_of_nothing_is_refused(load):
    text = SUITE.replace(SUITE.splitlines()[1], "").replace("run:{suite}/pretrain/clip", "run:elsewhere")
    with pytest.raises(UserError, match="curve: no pre-training is here to be looked at"):
        load(text + PROBE)


def test_a_task_is_looked_at_at_all_points_of_its_axes(load):
    axes = "tasks = [dict(config='detection/demo_mask_rcnn.py', axes=dict(learning_rate=[1e-3, 2e-3]))]\n"
    cells = load(SUITE + axes + "curve = dict(samples=[640], tasks=['demo_mask_rcnn'])\n").curve_cells()
    assert [cell.folder.name for cell in cells] == [
        *("learning_rate-0.001-samples640-seed0", "learning_rate-0.002-samples640-seed0")
    ]


def test_the_demos_curves(tmp_path):
    demo, full = load_suite("demo", tmp_path), load_suite("demo-full", tmp_path)
    assert full.name == "demo_full" and full.seeds == 3
    assert demo.curve == Curve((10_240, 20_480, 40_960), ("demo_linear_probe",))
    tasks = ("demo_linear_probe", "demo_mask_rcnn", "demo_deeplabv3")
    assert full.curve == Curve(demo.curve.samples, tasks)
    assert [task.label for task in full.tasks] == [task.label for task in demo.tasks]
    assert len(demo.curve_cells()) == 6 and len(full.curve_cells()) == 54
    assert full.data == demo.data and full.prepare == demo.prepare
    assert read_curve(full.path, None, []) is None
