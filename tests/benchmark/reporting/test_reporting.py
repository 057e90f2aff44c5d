"""Tables and plots from made-up records."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from record_data import COST, record
from rich.console import Console

from benchmark import reporting
from benchmark.records.schema import BackboneInfo, Cost, DataInfo, Metric, Record, TaskInfo
from benchmark.records.store import write_record
from benchmark.reporting import plots, tables
from benchmark.reporting.canvas import FORMATS
from benchmark.reporting.notes import notes_of
from benchmark.reporting.results import of_folder
from benchmark.reporting.total_cost import total_device_hours
from common.errors import UserError


def failed(backbone: str, error: str = "the process was killed by SIGKILL") -> Record:
    nothing = {"metrics": {}, "primary": None, "chosen": {}, "notes": [], "cost": None}
    return record(backbone, status="failed", error=error, error_type="Killed", **nothing)


@pytest.fixture
def results_of(tmp_path):
    """Results of records, through the disk."""

    def make(*records: Record):
        for number, entry in enumerate(records):
            write_record(tmp_path / "toy" / f"{number}" / entry.task.name / f"seed{entry.seed}", entry)
        return of_folder(tmp_path / "toy")

    return make


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def every_format(*stems: str) -> set[str]:
    return {stem + suffix for stem in stems for suffix in FORMATS}


def shown(results) -> str:
    console = Console(width=250, file=io.StringIO())
    console.print(tables.terminal(results, console.width))
    return console.file.getvalue()


def test_the_summary_has_every_figure_and_every_failure(results_of):
    results = results_of(record("random", 10.0), record("clip", 60.0), failed("catlip"))
    terminal, text = shown(results), tables.markdown(results)
    for cell in (
        "10.0 [8.0, 12.0]",
        "60.0 [58.0, 62.0]",
        "FAILED",
        "l2=0.001",
        "302",
        "590",
        "7.50e+15",
        "64,000",
        "memory, GiB",
        "3.0",
    ):
        assert cell in terminal and cell.replace("[", r"\[").replace("]", r"\]") in text
    assert "All images of a class show one drawing." in text
    assert r"catlip on probe, seed 0, failed: the process was killed by SIGKILL" in text
    lines = rows(tables.summary_csv(results))
    assert [line["probe_status"] for line in lines] == ["done", "done", "failed"]
    assert lines[1]["probe_value"] == "60.0" and lines[2]["probe_value"] == ""
    assert results.failed == 1


def test_a_task_may_show_several_metrics(results_of):
    metrics = {
        name: Metric(
            value=value, low=value - 1, high=value + 1, n=400, unit="AP", method="bootstrap over images"
        )
        for name, value in {"bbox_mAP": 16.0, "segm_mAP": 9.0, "bbox_AP50": 37.0}.items()
    }
    boxes = {"primary": "bbox_mAP", "also": ["segm_mAP"], "metrics": metrics, "chosen": {"lr": 0.1}}
    results = results_of(record("clip", **boxes), record("catlip", **boxes), failed("random"))
    header, _, *lines = [line for line in tables.markdown(results).splitlines() if line.startswith("|")]
    assert header == "| backbone | clip | catlip | random |"
    assert lines[1:4] == [
        r"| Linear probe, box AP | 16.0 \[15.0, 17.0\] | 16.0 \[15.0, 17.0\] | FAILED |",
        "| Linear probe, chosen | lr=0.1 | lr=0.1 | – |",
        r"| Linear probe, mask AP | 9.0 \[8.0, 10.0\] | 9.0 \[8.0, 10.0\] | FAILED |",
    ]
    line = rows(tables.summary_csv(results))[0]
    assert (line["probe_value"], line["probe_segm_mAP_value"]) == ("16.0", "9.0")
    reporting.update(results)
    stems = ("overview", "further_metrics", "probe_against_cost")
    made = {path.name for path in (results.folder / "plots").iterdir()}
    assert made == {f"{stem}.{end}" for stem in stems for end in ("png", "svg", "pdf")}


def test_the_longer_side_of_a_table_goes_down(results_of):
    many = [f"b{number}" for number in range(12)]
    results = results_of(*(record(name, 50.0) for name in many))
    header, lines, names = tables.layout(results)
    assert header[:4] == ["backbone", "objective", "Linear probe, top-1 %", "Linear probe, chosen"]
    assert {line[0] for line in lines} == set(many) and names == 2


def biased(value: float, bias: float = 6.0) -> dict:
    """A figure so biased that its interval lies below it."""
    metric = Metric(
        value=value, low=value - bias - 2, high=value - bias + 2, n=100, unit="AP", bias=bias,
        method="jackknife over images", truth="population of images", coverage=94.6,
    )  # fmt: skip
    return {"primary": "bbox_mAP", "metrics": {"bbox_mAP": metric}, "chosen": {}}


def test_an_interval_that_does_not_hold_the_figure_is_shown_and_drawn_where_it_is(results_of):
    results = results_of(record("clip", **biased(30.0)), record("catlip", **biased(40.0, 5.2)))
    assert "30.0 [22.0, 26.0]" in shown(results)
    assert reporting.update(results)
    assert (results.folder / "plots" / "probe_against_cost.png").is_file()
    scores = {name: results.score(name, "probe", "bbox_mAP") for name in results.backbones}
    canvas = plots.against_cost(results, "probe", scores, plots.looks_of(results))
    bars = canvas.axes[0].collections  # each backbone's vertical bar
    ends = [tuple(bar.get_segments()[0][:, 1]) for bar in bars]
    assert [tuple(round(end, 6) for end in pair) for pair in ends] == [(22.0, 26.0), (32.8, 36.8)]
    lines = rows(tables.cells_csv(results))
    assert {line["truth"] for line in lines} == {"population of images"}
    assert [(line["bias"], line["coverage"]) for line in lines] == [("6.0", "94.6"), ("5.2", "94.6")]


def test_the_truth_and_the_bias_are_told_once_under_the_table(results_of):
    results = results_of(record("clip", **biased(30.0)), record("catlip", **biased(40.0, -0.5)))
    notes = [note for note in notes_of(results) if "95 % intervals are for" in note]
    assert len(notes) == 1 and notes[0].startswith("probe: 95 % intervals are for the population of images")
    assert "bbox_mAP -0.5 to +6.0" in notes[0] and "held the truth in 95 %" in notes[0]


def test_records_of_earlier_protocols_are_still_read(results_of):
    old = json.loads(record("clip").model_dump_json())
    for metric in old["metrics"].values():
        for name in ("truth", "bias", "coverage"):
            del metric[name]
    again = Record.model_validate(old)
    assert again.headline.truth is again.headline.bias is again.headline.coverage is None
    results = results_of(again)
    assert "66.0 [64.0, 68.0]" in shown(results)
    assert not any("intervals are for" in note for note in notes_of(results))


def test_every_line_of_the_cells_names_its_command_and_record(results_of):
    results = results_of(record("random", 10.0), failed("clip"))
    lines = rows(tables.cells_csv(results))
    assert [(line["backbone"], line["metric"]) for line in lines] == [
        ("random", "top1"),
        ("random", "top1_over_images"),
        ("clip", ""),
    ]
    for line in lines:
        assert line["command"].startswith("python run_suite.py run")
        assert (results.folder / line["record"]).is_file()
    assert lines[2]["error"] == "the process was killed by SIGKILL"


def test_odd_names_break_no_table(results_of):
    name = "a|b`c*_<script>[x](y)\n$\\alpha$ [red]bold[/red]"
    results = results_of(record(name), failed("other", "it broke | badly\nsecond line"))
    text = tables.markdown(results)
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.replace(r"\|", "").count("|") for line in table}) == 1
    assert "<script>" not in text and r"\|b\`c\*\_&lt;script&gt;\[x\](y)" in text
    assert "[red]bold[/red]" in shown(results)
    assert rows(tables.summary_csv(results))[0]["backbone"] == name
    reporting.update(results)  # the plots must bear it too


def test_seeds_are_averaged_and_their_spread_is_told(results_of):
    results = results_of(record("clip", 60.0), record("clip", 64.0, seed=1), record("catlip", 70.0))
    assert "62.0 ± 2.8 [60.0, 64.0]" in shown(results) and "1 to 2 seeds" in shown(results)
    text = tables.markdown(results)
    assert "nothing of other seeds" in text and "differences between backbones are tested over" in text
    part = results_of(record("clip", 60.0), failed("clip"))
    assert "(failed in part)" in shown(part)


def test_one_seed_is_marked_as_one_wherever_it_is_shown(results_of):
    results = results_of(record("clip", 60.0), record("catlip", 64.0))
    assert "Suite toy: figures [95 % intervals], 1 seed" in shown(results)
    assert "Figures \\[95 % intervals\\], 1 seed." in tables.markdown(results)
    assert any("no order of backbones is a finding" in note for note in notes_of(results))
    scores = {name: results.score(name, "probe", "top1") for name in results.backbones}
    looks = plots.looks_of(results)
    axes = plots.side_by_side([("probe", scores)], looks).axes[0]
    assert "1 seed" in axes.get_title("left") + axes.get_title("center")
    assert "1 seed" in plots.against_cost(results, "probe", scores, looks).get_suptitle()


def test_spreads_of_pre_training_and_transfer_are_told_apart(results_of):
    values = {(0, 0): 60.0, (0, 1): 62.0, (1, 0): 70.0, (1, 1): 72.0}
    results = results_of(
        *(record("clip", value, seed=seed, pretraining_seed=first) for (first, seed), value in values.items())
    )
    line = rows(tables.summary_csv(results))[0]
    assert float(line["probe_value"]) == 66.0
    assert float(line["probe_sd"]) == pytest.approx(np.std(list(values.values()), ddof=1))
    assert float(line["probe_sd_transfer"]) == pytest.approx(2**0.5)
    assert float(line["probe_sd_pretraining"]) == pytest.approx((50 - 1) ** 0.5)
    assert line["probe_status"] == "done"


def test_cost_is_the_mean_over_pre_trainings_and_mining_is_told(results_of):
    def made(seed, **cost):
        described = {"source": "run", "objective": "catlip", "cost": {**COST, **cost}}
        info = BackboneInfo(name="catlip", spec=f"run:{seed}", description=described)
        changed = {"seed": seed, "pretraining_seed": seed}
        return record("catlip").model_copy(update={"backbone": info, **changed})

    costs = (
        {"cpu_seconds": 100.0, "labelling_seconds": 4.0},
        {"cpu_seconds": 300.0, "labelling_seconds": 4.0},
    )
    results = results_of(*(made(seed, **cost) for seed, cost in enumerate(costs)))
    assert results.cost("catlip")["cpu_seconds"] == 204.0
    assert results.backbones == {"catlip": "run:0"}
    notes = notes_of(results)
    assert any("mining the labels of the training captions took 4.0 s" in note for note in notes)
    assert any("wall seconds depend on what else the machine did" in note for note in notes)


def test_a_record_without_a_cost_hides_no_other_records_cost(results_of):
    other = TaskInfo(name="detect", type="t", config="c", config_digest="c", protocol=1)
    unknown = BackboneInfo(name="clip", spec="run:clip", description={})
    blocked = failed("clip").model_copy(update={"task": other, "backbone": unknown})
    assert results_of(record("clip"), blocked).cost("clip")["seconds"] == COST["seconds"]


def test_a_metric_that_one_backbone_lacks_is_missing_there_alone(results_of):
    metrics = {name: Metric(value=50.0) for name in ("mIoU", "mIoU_stuff")}
    both = record("clip", primary="mIoU", also=["mIoU_stuff"], metrics=metrics)
    one = record("catlip", primary="mIoU", metrics={"mIoU": Metric(value=40.0)})
    results = results_of(both, one)
    assert results.score("catlip", "probe", "mIoU_stuff").metric is None
    assert "missing" in shown(results)


def test_the_cost_is_drawn_in_samples_flops_and_two_kinds_of_seconds(results_of):
    results = results_of(record("random", 10.0), record("clip", 60.0), record("catlip", 66.0))
    scores = {name: results.score(name, "probe", "top1") for name in results.backbones}
    panels = plots.against_cost(results, "probe", scores, plots.looks_of(results)).axes
    assert [axes.get_xlabel().split(" (")[0].split(",")[0] for axes in panels] == [
        "samples",
        "FLOPs",
        "CPU seconds of this machine",
        "wall seconds",
    ]
    drawn = [
        [float(line.get_xdata()[0]) for line in axes.lines if line.get_marker() in {"o", "s"}]
        for axes in panels
    ]
    assert drawn == [[64.0, 64.0], [7.5e15, 7.5e15], [590.0, 590.0], [301.5, 120.0]]


@pytest.mark.parametrize(
    "change",
    [
        {"task": TaskInfo(name="probe", type="t", config="c", config_digest="c", protocol=2)},
        {"task": TaskInfo(name="probe", type="t", config="c", config_digest="other", protocol=1)},
        {"data": DataInfo(name="toy", path="data", digest="other")},
    ],
)
def test_what_was_measured_differently_is_left_out_with_a_note(results_of, change):
    results = results_of(
        record("random", 10.0), record("catlip", 60.0, finished="2026-01-02T00:00:00+00:00", **change)
    )
    lines = rows(tables.summary_csv(results))
    assert [line["probe_status"] for line in lines] == ["outdated", "done"]
    assert "left out random" in tables.markdown(results) and "10.0 [" not in shown(results)


def test_the_newest_protocol_wins_over_a_later_record_of_an_older_one(results_of):
    new = TaskInfo(name="probe", type="t", config="c", config_digest="c", protocol=2)
    results = results_of(record("a", finished="2026-01-09T00:00:00+00:00"), record("b", task=new))
    assert [row.status for row in results.rows] == ["outdated", "done"]


@pytest.mark.parametrize("width", [80, 100, 140])
@pytest.mark.parametrize("count", [1, 3, 7])
def test_the_terminals_table_fits_and_cuts_nothing(results_of, width, count):
    names = [f"vit_base_patch16_{number}.laion2b" for number in range(count)]
    entries = [record(name, 60.0 + n, seed=seed) for n, name in enumerate(names) for seed in (0, 1)]
    old = TaskInfo(name="probe", type="linear_probe", config="probe.py", config_digest="c", protocol=0)
    results = results_of(*entries, record("old", 33.0, task=old, finished="2025-12-31T00:00:00+00:00"))
    console = Console(width=width, file=io.StringIO())
    console.print(tables.terminal(results, width))
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= width
    for number in range(count):
        assert f"{60 + number}.0 ± 0.0" in text and f"[{58 + number}.0, {62 + number}.0]" in text
    assert "outdated" in text and "33.0" not in text and "…" not in text
    assert any("left out old (of 2025-12-31)" in note for note in notes_of(results))


def test_several_tasks_are_told_apart(results_of):
    other = TaskInfo(name="detect", type="other:Task", config="c", config_digest="c", protocol=1)
    scores = {
        "box": Metric(value=12.5, low=11.0, high=14.0, n=200, unit="AP", method="bootstrap over images")
    }
    second = record("clip", task=other, primary="box", metrics=scores, chosen={})
    results = results_of(record("clip"), record("random", 5.0))
    results.rows += results_of(second).rows[:1]
    header = [what for what, *_ in tables.layout(results)[1]]
    assert "detect, box AP" in header and "Linear probe, top-1 %" in header
    assert "–" in shown(results)


def test_plots_are_made_once_and_again_when_something_changed(results_of, tmp_path):
    history = tmp_path / "toy" / "pretrain" / "clip" / "history.csv"
    history.parent.mkdir(parents=True)
    history.write_text("step,samples,loss,val_loss\n1,64,3.0,\n2,128,2.0,2.5\ntorn\n3,192,1.5,2.2\n")
    results = results_of(record("random", 10.0), record("clip", 60.0), record("catlip", 66.0))
    assert reporting.update(results)
    folder = tmp_path / "toy" / "plots"
    stems = {"overview", "probe_against_cost", "pretraining_loss"}
    assert {path.stem for path in folder.iterdir()} == stems
    assert not reporting.update(results)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "overview.pdf").unlink()
    assert reporting.update(results)
    # the same results are the same bytes, whatever the format
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    history.unlink()
    assert reporting.update(results_of(record("random", 11.0)))
    # a plot that is of nothing any more is gone
    assert {path.stem for path in folder.iterdir()} == stems - {"pretraining_loss"}
    assert reporting.update(results, force=True)


def test_nothing_to_draw_is_no_error(results_of):
    results = results_of(failed("clip"))
    assert reporting.update(results)
    assert not list((results.folder / "plots").glob("*"))
    assert "FAILED" in shown(results)


def test_a_folder_without_records(tmp_path):
    with pytest.raises(UserError, match="holds no records"):
        of_folder(tmp_path)


def test_quality_is_drawn_against_the_cost_of_pretraining_and_transfer_together(results_of):
    known = Cost(seconds=1800.0, devices=2, images=3600)
    results = results_of(
        record("random", cost=known), record("clip", cost=known), record("catlip", cost=known)
    )
    processes = results.rows[1].record.backbone.description["cost"]
    assert "processes" not in processes  # of one, then
    assert total_device_hours(results, "catlip", "probe") == pytest.approx((120 + 2 * 1800) / 3600)
    assert total_device_hours(results, "clip", "probe") == pytest.approx((301.5 + 2 * 1800) / 3600)
    assert total_device_hours(results, "random", "probe") is None  # nothing was pre-trained
    scores = {name: results.score(name, "probe") for name in results.backbones}
    panels = plots.against_cost(results, "probe", scores, plots.looks_of(results)).axes
    assert [panel.get_xlabel() for panel in panels if panel.get_visible()][-1].startswith("device-hours")
    cells = list(csv.DictReader(io.StringIO(tables.cells_csv(results))))
    assert {row["device_hours"] for row in cells} == {"1.0"}
    assert {row["images_per_second"] for row in cells} == {"2.0"}
    assert "peak_gpu_memory_bytes" not in cells[0]  # no GPU was used


def test_costs_that_records_do_not_know_have_no_column_and_no_panel(results_of):
    results = results_of(record("clip"), record("catlip"))
    assert total_device_hours(results, "clip", "probe") is None
    assert "device_hours" not in tables.cells_csv(results).splitlines()[0]
    scores = {name: results.score(name, "probe") for name in results.backbones}
    panels = plots.against_cost(results, "probe", scores, plots.looks_of(results)).axes
    assert not any(panel.get_xlabel().startswith("device-hours") for panel in panels)
