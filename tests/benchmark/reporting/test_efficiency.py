"""Figures by share of the training data: what is grouped, what is said of Transfer Init, what is left out."""

import csv
import io

import pytest

from benchmark import reporting
from benchmark.records.schema import BackboneInfo, DataInfo, Metric, Record, TaskInfo
from benchmark.records.store import write_record
from benchmark.reporting import efficiency, tables
from benchmark.reporting.results import of_folder


def record(backbone, value, seed=0, **axes):
    about = {"config": "probe.py", "config_digest": f"{axes}", "protocol": 1, "axes": axes}
    return Record(
        status="done",
        suite="toy",
        backbone=BackboneInfo(name=backbone, spec=f"run:{backbone}", description={"source": "run"}),
        task=TaskInfo(name="probe", type="linear_probe", **about),
        data=DataInfo(name="toy", path="data", digest="d"),
        seed=seed,
        fingerprint="f",
        command="python run_suite.py run probe.py",
        started="2026-01-01T00:00:00+00:00",
        finished="2026-01-01T00:00:10+00:00",
        primary="top1",
        metrics={"top1": Metric(value=value, low=value - 2, high=value + 2, n=80)},
    )


@pytest.fixture
def results(tmp_path):
    found = [record("catlip", 90.0), record("clip", 80.0)]
    for draw in (0, 1):
        for share, plain, transfer in ((0.1, 40.0, 50.0), (0.5, 60.0, 62.0)):
            found.append(record("catlip", plain + draw, fraction=share, draw=draw))
            found.append(record("catlip", transfer + 3 * draw, fraction=share, draw=draw, init="transfer"))
            found.append(record("clip", plain - 5, fraction=share, draw=draw))
    found.append(record("clip", 41.0, fraction=0.2, draw=0))
    for number, entry in enumerate(found):
        write_record(tmp_path / "toy" / str(number) / "probe" / "seed0", entry)
    return of_folder(tmp_path / "toy")


def test_a_line_is_a_backbone_at_one_point_of_the_other_axes(results):
    (lines,) = efficiency.lines_of(results).values()
    assert {line.label for line in lines} == {"catlip", "catlip, init=transfer", "clip"}
    by_label = {line.label: line for line in lines}
    assert list(by_label["clip"].points) == [0.1, 0.2, 0.5]
    assert sorted(by_label["catlip"].values(0.1)) == [40.0, 41.0]
    header, cells = efficiency.layout(lines)
    assert header == ["top-1 %", "10 %", "20 %", "50 %"]
    told = {label: rest for label, *rest in cells}
    assert told["catlip"] == ["40.5 ± 0.7 (2)", "–", "60.5 ± 0.7 (2)"]
    assert told["clip"][1] == "41.0 (1)"


def test_transfer_init_is_compared_run_by_run(results):
    (sentence,) = efficiency.sentences(results)
    # draw 0: +10, +2; draw 1: +12, +4
    assert "probe, catlip: Transfer Init against random initialisation, top1: " in sentence
    assert "+11.0 ± 1.4 at 10 % (2), +3.0 ± 1.4 at 50 % (2)" in sentence and "not tested" in sentence


def test_the_summary_is_of_whole_training_sets_alone(results):
    header, lines, _ = tables.layout(results)
    text = str([header, lines])
    assert "90.0" in text and "fraction" not in text and "40.0" not in text
    cells = list(csv.DictReader(io.StringIO(tables.cells_csv(results))))
    assert len(cells) == 15 and {row["fraction"] for row in cells} == {"", "0.1", "0.2", "0.5"}


def test_files_are_written_where_there_is_something(results, tmp_path):
    assert reporting.update(results)
    folder = results.folder
    lines = list(csv.DictReader((folder / "tables" / "efficiency.csv").open(encoding="utf-8")))
    assert len(lines) == 13 and all((folder / "tables" / line["record"]).name for line in lines)
    assert "| catlip, init=transfer |" in (folder / "tables" / "efficiency.md").read_text(encoding="utf-8")
    assert (folder / "plots" / "efficiency_probe.png").stat().st_size > 10_000
    assert not reporting.update(results)
    write_record(tmp_path / "none" / "a" / "probe" / "seed0", record("clip", 1.0))
    assert efficiency.write(of_folder(tmp_path / "none")) == []


def test_the_drawing_shows_bands_over_runs_and_dashes_for_transfer_init(results):
    ((task, lines),) = efficiency.lines_of(results).items()
    canvas = efficiency.draw(task, lines, lambda name: "black")
    (axes,) = canvas.axes
    styles = {line.get_label(): line.get_linestyle() for line in axes.lines}
    assert styles == {"catlip": "-", "catlip, init=transfer": "--", "clip": "-"}
    assert len(axes.collections) == 3 and "worst run to the best" in canvas.get_suptitle()
