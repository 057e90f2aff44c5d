"""Curves of quality by cost, their tables and plots, from made-up records."""

from __future__ import annotations

import csv

import pytest

from benchmark import reporting
from benchmark.records.schema import BackboneInfo, Cost, DataInfo, Metric, Record, TaskInfo
from benchmark.records.store import write_record
from benchmark.reporting import curves, plots, tables, time_to_quality
from benchmark.reporting.notes import notes_of
from benchmark.reporting.results import of_folder
from benchmark.reporting.trajectories import comparisons, kinds, trajectories

COUNTS = {10: 10_240, 20: 20_480, 40: 40_960, None: 80_000}
FLOPS = {"clip": 7.5e8, "catlip": 6e8}
VALUES = {"clip": (10.0, 20.0, 30.0, 36.0), "catlip": (20.0, 30.0, 40.0, 49.0)}


def record(backbone, samples=None, value=50.0, seed=0, half=4.0, **changes) -> Record:
    count = COUNTS.get(samples, 0)
    cost = {"samples": count, "flops": FLOPS.get(backbone, 0) * count, "seconds": count / 200 + 10 * seed}
    described = {"source": "run", "objective": backbone, "cost": cost}
    if backbone == "random":
        described = {"source": "random", "objective": None, "cost": None}
    values = {
        "status": "done",
        "suite": "toy",
        "backbone": BackboneInfo(name=backbone, spec=f"run:{backbone}{samples}{seed}", description=described),
        "task": TaskInfo(name="probe", type="linear_probe", config="p.py", config_digest="c", protocol=1),
        "data": DataInfo(name="toy", path="data", digest="d"),
        "seed": seed,
        "pretraining_seed": None if backbone == "random" else seed,
        "pretraining_samples": samples,
        "fingerprint": "f",
        "command": f"python run_suite.py run p.py --backbone run:{backbone}{samples}",
        "started": "2026-01-01T00:00:00+00:00",
        "finished": "2026-01-01T00:00:10+00:00",
        "primary": "top1",
        "metrics": {
            "top1": Metric(
                value=value, low=value - half, high=value + half, n=80, method="wilson over classes"
            )
        },
        "cost": Cost(seconds=10.0),
    }
    return Record(**{**values, **changes})


def suite(seeds=1, values=VALUES):
    records = [record("random", value=5.0, seed=seed) for seed in range(seeds)]
    for name, curve in values.items():
        for samples, value in zip(COUNTS, curve, strict=True):
            # the seeds apart, their mean where it was
            offsets = [seed - (seeds - 1) / 2 for seed in range(seeds)]
            records += [record(name, samples, value + off, seed) for seed, off in enumerate(offsets)]
    return records


@pytest.fixture
def results_of(tmp_path):
    def make(*records: Record):
        for number, entry in enumerate(records):
            write_record(tmp_path / "toy" / f"{number:03}" / "probe" / f"seed{entry.seed}", entry)
        return of_folder(tmp_path / "toy")

    return make


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_points_are_no_rows_of_the_summary_and_change_no_other_plot(results_of, tmp_path):
    records = suite()
    results = results_of(*records)
    assert len(results.rows) == 3 and len(results.points) == 6
    assert [score.metric.value for name in results.backbones if (score := results.score(name, "probe"))] == [
        *(5.0, 36.0, 49.0)
    ]
    assert results.cost("clip")["samples"] == 80_000 and results.card("clip").cost.samples == 80_000
    assert "10,240" not in tables.markdown(results)
    assert "samples, seed" not in tables.markdown(results)
    assert len(read_text(tables.summary_csv(results))) == 3 and len(read_text(tables.cells_csv(results))) == 3
    reporting.update(results)
    assert {path.stem for path in (results.folder / "plots").iterdir()} == {
        *("probe", "probe_against_cost", "curve_probe")
    }


def read_text(text):
    return text.strip().splitlines()[1:]


def test_the_tables_hold_every_point_every_seeds_samples_to_quality_and_both_directions(results_of):
    results = results_of(*suite(seeds=2))
    reporting.update(results)
    folder = results.folder / "tables"
    points = read(folder / "curve.csv")
    assert len(points) == 2 * 4 * 2
    assert {(p["samples"], p["value"]) for p in points if (p["backbone"], p["seed"]) == ("clip", "0")} == {
        ("10240", "9.5"), ("20480", "19.5"), ("40960", "29.5"), ("80000", "35.5")
    }  # fmt: skip
    assert all((results.folder / p["record"]).is_file() and p["command"] for p in points)

    lines = read(folder / "time_to_quality.csv")
    best = {
        (line["backbone"], line["pretraining_seed"]): line
        for line in lines
        if line["which"] == "best of clip"
    }
    assert float(best["clip", "mean curve"]["samples"]) == pytest.approx(80_000)
    assert best["clip", "0"]["status"] == "never reached" and best["clip", "0"]["samples"] == ""
    # a seed that lies above the mean is there earlier
    theirs = [float(best["catlip", seed]["samples"]) for seed in ("1", "mean curve", "0")]
    assert theirs == sorted(theirs) and 20_480 < theirs[0] < theirs[2] < 40_960
    assert theirs[1] == pytest.approx(20_480 * 2**0.6)
    assert float(best["catlip", "mean curve"]["flops"]) == pytest.approx(6e8 * theirs[1])
    early = [line for line in lines if line["status"] == "at most"]
    assert [
        (line["backbone"], line["pretraining_seed"], line["quality"], line["samples"]) for line in early
    ] == [("catlip", "1", "20.0", "10240.0")]
    never = [line for line in lines if line["which"] == "best of catlip" and line["backbone"] == "clip"]
    assert {line["status"] for line in never} == {"never reached"}

    equal = {(line["backbone"], line["cost"]): line for line in read(folder / "equal_quality.csv")}
    assert len(equal) == 2 * 3
    there, back = equal["catlip", "samples"], equal["clip", "samples"]
    assert float(there["highest_common_quality"]) == 36 and there["interval"] == "the test set and 2 seeds"
    ratio = 80_000 / (20_480 * 2**0.6)
    assert float(there["at_level"]) == pytest.approx(ratio) == 1 / float(back["at_level"])
    assert float(there["at_level_low"]) < ratio < float(there["at_level_high"])
    assert float(equal["catlip", "flops"]["at_level"]) == pytest.approx(1.25 * ratio)
    assert there["to_best_of_baseline"] == there["at_level"]
    assert back["to_best_of_baseline"] == "never reached"

    text = (folder / "time_to_quality.md").read_text()
    assert "never reached" in text and "wall seconds (no speed-up)" in text
    assert "not what a run of that length would have reached" in text
    assert "samples, seed 0 | samples, seed 1" in text


def test_one_seed_is_told_as_one(results_of):
    results = results_of(*suite())
    (said,) = time_to_quality.sentences(results)
    assert said.startswith("probe: at equal quality (top1 36.0, the most that both reached) clip cost 2.58 [")
    assert "in samples and 3.22 [" in said and "in FLOPs times what catlip did" in said
    assert "clip never reached the 49.0 of catlip (95 % intervals of the test set alone, 1 seed)." in said
    assert "seconds" not in said, "they were not timed in turns"
    reporting.update(results)
    assert "the test set alone, 1 seed" in (results.folder / "tables" / "time_to_quality.md").read_text()


def test_a_figure_that_is_better_when_smaller_is_compared_the_other_way(results_of):
    records = suite(values={name: tuple(100 - v for v in curve) for name, curve in VALUES.items()})
    for entry in records:
        metric = entry.metrics["top1"]
        entry.metrics["top1"] = metric.model_copy(update={"higher_is_better": False})
    ways = trajectories(results_of(*records))["probe"]
    found = comparisons(ways, "samples")["catlip", "clip"]
    assert found.at_level.value == pytest.approx(80_000 / (20_480 * 2**0.6))
    assert [way.best for way in ways] == [64.0, 51.0]
    assert ways[0].cost_of(51.0, "samples") == ("never reached", None)
    assert ways[1].cost_of(95.0, "samples") == ("at most", 10_240)


def test_a_point_that_a_seed_lacks_is_left_out_and_one_point_is_no_curve(results_of):
    records = [
        r
        for r in suite(seeds=2)
        if not (r.backbone.name == "clip" and r.pretraining_samples == 20 and r.seed)
    ]
    ways = {way.name: way for way in trajectories(results_of(*records))["probe"]}
    assert [point.cost("samples") for point in ways["clip"].points] == [10_240, 40_960, 80_000]
    assert len(ways["catlip"].points) == 4


def test_one_point_alone_is_no_curve(results_of):
    ends = [entry for entry in suite() if entry.pretraining_samples is None]
    results = results_of(
        *ends, record("clip", 10, 10.0, status="failed", error="it broke", primary=None, metrics={})
    )
    assert trajectories(results) == {} and results.failed == 1
    assert any("clip on probe, after 10 samples, seed 0, failed: it broke" in n for n in notes_of(results))
    reporting.update(results)
    assert not list(results.folder.glob("*/*curve*")) and not list(results.folder.glob("tables/*quality*"))


def test_points_of_another_protocol_are_left_out(results_of):
    old = TaskInfo(name="probe", type="linear_probe", config="p.py", config_digest="c", protocol=0)
    records = [r.model_copy(update={"task": old}) if r.pretraining_samples == 10 else r for r in suite()]
    results = results_of(*records)
    assert [row.status for row in results.points].count("outdated") == 2
    assert len(trajectories(results)["probe"][0].points) == 3
    assert "Curve: 2 of 6 points are missing or outdated" in time_to_quality.sentences(results)[-1]


def test_what_no_record_tells_is_not_compared(results_of):
    records = suite()
    for entry in records:
        if entry.backbone.name == "clip":
            del entry.backbone.description["cost"]["flops"]
    results = results_of(*records)
    assert kinds(trajectories(results)["probe"]) == ["samples", "seconds"]
    assert "FLOPs" not in time_to_quality.sentences(results)[0]
    reporting.update(results)
    assert {line["flops"] for line in read(results.folder / "tables" / "time_to_quality.csv")} == {""}


def test_without_intervals_of_one_seed_none_is_shown(results_of):
    records = suite()
    for entry in records:
        metric = entry.metrics["top1"].model_copy(update={"low": None, "high": None})
        entry.metrics["top1"] = metric
    results = results_of(*records)
    (said,) = time_to_quality.sentences(results)
    assert "clip cost 2.58 in samples" in said and "(95 % intervals of nothing, 1 seed)" in said
    reporting.update(results)


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_plot_has_three_panels_of_rising_cost(results_of, seeds):
    results = results_of(*suite(seeds))
    ways = trajectories(results)["probe"]
    canvas = curves.draw(results, "probe", ways, plots.looks_of(results))
    assert [axes.get_xlabel().split(" (")[0] for axes in canvas.axes] == [
        *("pre-training seconds", "samples", "FLOPs")
    ]
    for axes in canvas.axes:
        assert axes.get_xscale() == "log"
        lines = {line.get_color(): line for line in axes.lines if len(line.get_xdata()) == 4}
        assert lines[plots.COLOURS["clip"]].get_ydata().tolist() == [10, 20, 30, 36]
        bands = [shape for shape in axes.collections if len(shape.get_paths()) and seeds > 1]
        assert bool(bands) == (seeds > 1)
    title = canvas.get_suptitle()
    assert ("bands" in title) == (seeds > 1) and ("the test set alone, 1 seed" in title) == (seeds == 1)
    assert "not what a run of that length" in canvas.get_supxlabel()
    marks = [text.get_text() for axes in canvas.axes for text in axes.texts]
    assert len(marks) == 2 and marks[0].startswith("x 2.58 ["), "none at the seconds"
    assert [text.get_text() for text in canvas.axes[0].get_legend().texts] == [
        *("random (no pre-training)", "clip", "catlip")
    ]


def test_a_curve_that_stands_still_is_one_too(results_of):
    results = results_of(*suite(values={"clip": (30.0,) * 4, "catlip": (30.0,) * 4}))
    ways = trajectories(results)["probe"]
    assert time_to_quality.levels(ways) == {30.0: "best of catlip"}
    assert ways[0].cost_of(30.0, "samples") == ("reached", 10_240)
    # when it was there cannot be told from points that are all there
    assert "cost 1.00 [0, ∞] in samples" in time_to_quality.sentences(results)[0]
    assert reporting.update(results)


def test_a_quality_that_random_weights_may_have_is_not_compared(results_of):
    records = [
        record("random", value=34.0) if entry.backbone.name == "random" else entry for entry in suite()
    ]
    results = results_of(*records)  # up to 38 by its interval, and clip's best is 36
    (said,) = time_to_quality.sentences(results)
    assert "no quality in common that random weights may not have, too (top1 36.0)" in said
    assert "times what" not in said and said.endswith("clip never reached the 49.0 of catlip.")
    reporting.update(results)
    lines = read(results.folder / "tables" / "equal_quality.csv")
    assert {line["beyond_random_weights"] for line in lines} == {"False"}
    assert "36.0 (random weights may have it)" in (results.folder / "tables/time_to_quality.md").read_text()
    canvas = curves.draw(results, "probe", trajectories(results)["probe"], plots.looks_of(results))
    assert not [text for axes in canvas.axes for text in axes.texts]


def test_levels_are_round_and_the_best_of_each(results_of):
    ways = trajectories(results_of(*suite()))["probe"]
    assert time_to_quality.levels(ways) == {
        20.0: "", 30.0: "", 36.0: "best of clip", 40.0: "", 49.0: "best of catlip"
    }  # fmt: skip
