"""The paper's panels: drawn from whatever cells are there, published values beside them or said lost."""

import pytest

from benchmark import reporting
from benchmark.records.schema import BackboneInfo, DataInfo, Metric, Record, TaskInfo
from benchmark.records.store import write_record
from benchmark.reporting import panels
from benchmark.reporting.plots import looks_of
from benchmark.reporting.results import of_folder


def record(name, spec, config, value, metrics=("top1",), **axes):
    return Record(
        status="done",
        suite="paper",
        backbone=BackboneInfo(name=name, spec=spec),
        task=TaskInfo(
            name=config.rpartition("/")[2], type="finetune", config=f"task_configs/{config}.py",
            config_digest="c", protocol=1, axes=axes,
        ),
        data=DataInfo(name="d", path="d", digest="d"),
        seed=0,
        fingerprint="f",
        command="python run_suite.py run x",
        started="2026-01-01T00:00:00+00:00",
        finished="2026-01-01T00:00:10+00:00",
        primary=metrics[0],
        also=list(metrics[1:]),
        metrics={key: Metric(value=value, low=value - 1, high=value + 1, n=9) for key in metrics},
    )  # fmt: skip


@pytest.fixture
def results_of(tmp_path):
    def make(*records):
        for number, entry in enumerate(records):
            write_record(tmp_path / "paper" / f"{number}" / "task" / "seed0", entry)
        return of_folder(tmp_path / "paper")

    return make


CATLIP, CLIP = "corenet:/w/vit_base.pt", "corenet:/w/clip_vit_base.pt"


def test_a_table_is_drawn_beside_the_published_values(results_of):
    config, metrics = "detection/coco_mask_rcnn_vit_base", ("bbox_mAP", "segm_mAP")
    results = results_of(record("catlip_b", CATLIP, config, 50.0, metrics))
    (content,) = panels.contents(results)
    assert content.name == "table5" and "hollow: published" in content.said
    canvas = panels.points(results, content, looks_of(results))
    (axes,) = canvas.axes
    labels = [tick.get_text() for tick in axes.get_yticklabels()]
    assert labels[:2] == [f"catlip_b: coco_mask_rcnn_vit_base, {metric}" for metric in metrics]
    assert any(label.startswith("CLIP ViT-B/16, DataComp-1.3B") for label in labels)  # not measured yet
    assert not any(label.startswith("CatLIP ViT-B/16, DataComp-1.3B") for label in labels)
    drawn = {float(x) for line in axes.lines for x in line.get_xdata()}
    assert {50.0, 49.9, 43.6, 46.4, 51.6} <= drawn
    assert reporting.update(results)
    assert (results.folder / "plots" / "paper_table5.png").stat().st_size > 1000


def test_a_figure_whose_values_are_lost_says_so(results_of):
    config = "classification/imagenet1k_finetune_vit_base"
    points = [(0.01, "random"), (0.01, "transfer"), (1.0, "random")]
    results = results_of(
        *(record("catlip_b", CATLIP, config, 60.0, fraction=share, init=init) for share, init in points)
    )
    (content,) = panels.contents(results)
    assert (content.name, content.said) == ("figure7", "published values: lost")
    (axes,) = panels.curves(results, content, looks_of(results)).axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "catlip_b, random init",
        "catlip_b, transfer init",
    ]
    assert panels.write(results)[0].name == "paper_figure7.png"


def test_the_ends_of_a_curve_are_published(results_of):
    probe = "classification/imagenet1k_trained_probe"
    results = results_of(record("catlip_b", CATLIP, probe, 15.0, fraction=0.01, init="random"))
    (content,) = panels.contents(results)
    (axes,) = panels.curves(results, content, looks_of(results)).axes
    hollow = [line for line in axes.lines if line.get_marker() == "D" and line.get_linestyle() == "None"]
    assert [list(line.get_ydata()) for line in hollow] == [[80.8]]


def test_a_panel_quotes_nothing_that_belongs_to_another(results_of):
    results = results_of(record("catlip_b", CATLIP, "classification/places365_finetune_vit_base", 59.0))
    drawn = {content.name: content for content in panels.contents(results)}
    assert drawn.keys() == {"table1", "table2"}
    for name, content in drawn.items():
        (axes,) = panels.points(results, content, looks_of(results)).axes
        labels = [tick.get_text() for tick in axes.get_yticklabels()]
        assert any("ViT-H" in label for label in labels) == (name == "table2")
        assert any("CC3M" in label for label in labels) == (name == "table1")
        assert 59.2 in {float(x) for line in axes.lines for x in line.get_xdata()}


def test_other_results_have_no_panel(results_of):
    elsewhere = "classification/linear_probe"
    results = results_of(record("catlip_b", CATLIP, elsewhere, 60.0), record("b", CLIP, elsewhere, 1.0))
    assert not panels.contents(results) and not panels.write(results)
