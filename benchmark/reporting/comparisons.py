"""Is a backbone as good as the baseline, and how much cheaper was it? What paired tests allow to say."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.metrics import paired
from benchmark.records.schema import Metric
from benchmark.reporting.names import metric_title, task_titles
from benchmark.reporting.results import Results, Row, seeds_words
from benchmark.reporting.tables import csv_text, escape, markdown_table
from common.files import write_text

if TYPE_CHECKING:
    from benchmark.statistics.difference import Repeated

VERDICTS = "verdicts.csv"
PLACES = "places.csv"

NOTE = (
    "Differences are paired: both backbones on the same test images. p-values are Holm's over the tasks of a "
    "pair of backbones; a verdict holds at 5 % for all of them together. δ is the difference that matters, "
    "fixed in the suite's config. One that is worse, but surely by less than δ, is equal within it."
)

JOINT = (
    "FLOPs and samples are counted and have no error: the 95 % interval of a difference and their ratio hold "
    "together. Beside a ratio that was measured, the 97.5 % intervals of both make a joint region of 95 %."
)

ONE_SEED = (
    "Verdicts of 1 seed are on these very trainings: other seeds may turn them round, and none is a finding "
    "(--seeds 3 or more)."
)


@dataclass(frozen=True)
class Comparison:
    """One backbone against the baseline on one task, in points; larger is better.

    Attributes:
        difference: of the plain figures.
        low, high: 95 % interval of the difference on endless test images (and seeds, where there are
            several), freed of the figures' biases.
        low_joint, high_joint: its 97.5 % interval: with that of a cost that is as sure, one region of 95 %.
        error_images, error_seeds: standard errors by the test images, and by seeds; None: one repetition.
        coverage: share of simulated pairs of models, in percent, whose interval held the truth, if known.
        repetitions, pretrainings: how often both were transferred, and how often pre-trained.
        p_different, p_not_worse, p_not_better: see `statistics.noninferiority.Claims`; Holm's over tasks.
        cheaper_flops, cheaper_samples: the baseline's pre-training cost over the backbone's; None: unknown.
        baseline_above_random: whether the baseline is surely better here than random weights are; if not,
            being as good as it says nothing of pre-training. None: there are no random weights.
    """

    task: str
    metric: str
    backbone: str
    baseline: str
    difference: float
    low: float
    high: float
    low_joint: float
    high_joint: float
    error_images: float
    error_seeds: float | None
    coverage: float | None
    repetitions: int
    pretrainings: int
    margin: float
    p_different: float
    p_not_worse: float
    p_not_better: float
    verdict: str
    cheaper_flops: float | None
    cheaper_samples: float | None
    baseline_above_random: bool | None

    @property
    def as_good_as_random(self) -> bool:
        """Whether the backbone is called as good as a baseline that may be no better than random weights."""
        return self.baseline_above_random is False and self.verdict in ("equal within δ", "not worse")

    @property
    def seeds(self) -> str:
        """What stands behind it, in words."""
        return seeds_words(self.repetitions, self.pretrainings)


@dataclass(frozen=True)
class Place:
    """Where a backbone stands on a task among those that were compared: 1 is the best.

    Attributes:
        low, high: places that paired tests (Holm's over all pairs of the task) leave open.
        ties: letters of the groups it is in: no two of one letter can be told apart.
    """

    task: str
    metric: str
    backbone: str
    value: float
    low: int
    high: int
    ties: str

    @property
    def text(self) -> str:
        return f"{self.low}" if self.low == self.high else f"{self.low}–{self.high}"


def write(results: Results) -> list[Path]:
    """Write ``verdicts.csv``, ``verdicts.md`` and ``places.csv``, where two backbones share a task."""
    from benchmark.statistics.noninferiority import verdicts

    pairs = _pairs(results)
    folder = results.folder / "tables"
    contents = {}
    compared: list[Comparison] = []
    above: dict[str, bool] = {}
    for backbone in sorted(results.backbones, key=lambda name: results.card(name).source != "random"):
        found = _against_baseline(results, pairs, backbone)
        family = {task: (each.both, results.margin(metric)) for task, (metric, each) in found.items()}
        for task, (said, claims) in verdicts(family).items():
            if results.card(backbone).source == "random":
                above[task] = said == "worse" and above.get(task, True)
            entry = _comparison(results, backbone, task, *found[task], said, claims)
            compared.append(replace(entry, baseline_above_random=above.get(task)))
    if compared:
        contents[VERDICTS] = csv_text([asdict(entry) for entry in compared])
    if placed := _places(results, pairs):
        contents[PLACES] = csv_text([asdict(entry) for entry in placed])
    for name, text in contents.items():
        write_text(folder / name, text)
    if contents:
        contents["verdicts.md"] = markdown(sentences(results), compared, placed)
        write_text(folder / "verdicts.md", contents["verdicts.md"])
    return [folder / name for name in contents]


def comparisons(results: Results) -> list[Comparison]:
    """What `write` found, from its file; nothing is computed."""
    return list(_read(results.folder / "tables" / VERDICTS, Comparison))


def of_pretrained(results: Results) -> list[Comparison]:
    """`comparisons` of all but random weights, which nobody takes for a rival."""
    return [each for each in comparisons(results) if results.card(each.backbone).source != "random"]


def places(results: Results) -> list[Place]:
    """What `write` found, from its file."""
    return list(_read(results.folder / "tables" / PLACES, Place))


def sentence(found: Comparison, task: str, metric: str) -> str:
    """The verdict in words: what may be said, the difference, and at what cost.

    Args:
        task, metric: what they are called.
    """
    margin = f"{found.margin:g} point{'' if found.margin == 1 else 's'}"
    what = {
        "better": f"is better than {found.baseline}",
        "equal within δ": f"is as good as {found.baseline} within {margin}",
        "not worse": f"is not worse than {found.baseline} by more than {margin}",
        "worse": f"is worse than {found.baseline}",
        "undecided": f"cannot be told from {found.baseline} to within {margin}",
    }[found.verdict]
    text = (
        f"{task}: {found.backbone} {what} "
        f"({metric} {found.difference:+.1f} [{found.low:+.1f}, {found.high:+.1f}])"
    )
    if found.cheaper_flops:
        text += f", {_times(found.cheaper_flops)} FLOPs of pre-training"
    if found.as_good_as_random:
        text += f"; but {found.baseline} cannot be told from random weights here"
    return f"{text}; {found.seeds}."


def sentences(results: Results) -> list[str]:
    """The verdicts on pre-trained backbones, for the terminal; what one seed cannot tell is said once."""
    found = [
        entry
        for entry in of_pretrained(results)
        if entry.backbone in results.backbones and entry.task in results.tasks
    ]
    titles = task_titles(results)
    said = [sentence(entry, titles[entry.task], metric_title(entry.metric)) for entry in found]
    if reached := [entry.coverage for entry in found if entry.coverage is not None]:
        said.append(covered(reached))
    if any(entry.repetitions == 1 for entry in found):
        said.append(ONE_SEED)
    return said


def covered(reached: list[float]) -> str:
    """How often such intervals held the truth, in words."""
    extent = " to ".join(dict.fromkeys(f"{share:.0f}" for share in (min(reached), max(reached))))
    return (
        "Intervals of differences are for endless test images of the kind; in simulated worlds such "
        f"intervals held the truth in {extent} %."
    )


def markdown(said: list[str], compared: list[Comparison], placed: list[Place]) -> str:
    """Verdicts, in sentences and as a table, and places as Markdown."""
    header = [
        "task",
        "metric",
        "backbone",
        "against",
        "difference [95 %]",
        "δ",
        "verdict",
        "p (Holm)",
        "error by",
    ]
    header += ["FLOPs", "seeds"]
    lines = [
        [
            *(entry.task, entry.metric, entry.backbone, entry.baseline),
            f"{entry.difference:+.1f} [{entry.low:+.1f}, {entry.high:+.1f}]",
            f"{entry.margin:g}",
            entry.verdict,
            "< 0.0001" if entry.p_different < 1e-4 else f"{entry.p_different:.2g}",
            f"images {entry.error_images:.2f}"
            + (f", seeds {entry.error_seeds:.2f}" if entry.error_seeds is not None else ""),
            _times(entry.cheaper_flops) if entry.cheaper_flops else "–",
            entry.seeds,
        ]
        for entry in compared
    ]
    parts = []
    if lines:
        told = "\n".join(f"- {escape(text)}" for text in said)
        parts = ["# Verdicts", *filter(None, [told]), "\n".join(markdown_table(header, lines))]
    if placed:
        header = ["task", "metric", "backbone", "value", "place", "group"]
        lines = [[p.task, p.metric, p.backbone, f"{p.value:.1f}", p.text, p.ties] for p in placed]
        parts += ["# Places", "\n".join(markdown_table(header, lines))]
        parts.append("Backbones of one letter cannot be told apart on that task.")
    return "\n\n".join([*parts, NOTE]) + "\n"


def _times(ratio: float) -> str:
    """A ratio of costs in words: ``1.2 times fewer``."""
    if abs(ratio - 1) < 0.005:
        return "with as many"
    return f"with {ratio:.2f} times fewer" if ratio > 1 else f"with {1 / ratio:.2f} times more"


def _pairs(results: Results) -> dict[str, tuple[str, dict[tuple[str, str], Repeated]]]:
    """Task -> its metric, and the differences of every two backbones measured on the same images."""
    from benchmark.statistics.difference import over_seeds

    found = {}
    for column in results.columns():
        if column.metric is None or column.key != column.task:
            continue
        each = {}
        for one, other in combinations(results.backbones, 2):
            differences: dict[int | None, list] = defaultdict(list)
            for seed, first, second in _repetitions(results, column.task, one, other):
                records = (first.folder, first.record), (second.folder, second.record)
                if all(column.metric in record.metrics for _, record in records):
                    difference = paired.difference(*records, column.metric)
                    if difference is not None:
                        better = first.record.metrics[column.metric].higher_is_better
                        differences[seed].append(difference if better else difference.scaled(-1))
            if differences:
                each[one, other] = over_seeds(differences)
        if each:
            found[column.task] = column.metric, each
    return found


def _repetitions(results: Results, task: str, one: str, other: str) -> Iterator[tuple[int | None, Row, Row]]:
    """Finished cells of both that belong together, with the seed of pre-training they differ by."""
    rows: dict[str, dict[tuple[int | None, int], Row]] = {one: {}, other: {}}
    for row in results.rows:
        if row.task == task and row.name in rows and row.status == "done":
            rows[row.name][row.pretraining_seed, row.seed] = row
    for (pretraining, seed), row in rows[one].items():
        # what was not pre-trained here is there once per seed of the transfer
        partner = rows[other].get((pretraining, seed)) or rows[other].get((None, seed))
        if partner:
            yield pretraining, row, partner
        elif pretraining is None:
            for (theirs, their_seed), partner in rows[other].items():
                if their_seed == seed:
                    yield theirs, row, partner


def _against_baseline(results: Results, pairs: dict, backbone: str) -> dict[str, tuple[str, Repeated]]:
    """Task -> metric, and the backbone less the baseline."""
    baseline, found = results.baseline, {}
    for task, (metric, each) in pairs.items():
        if (backbone, baseline) in each:
            found[task] = metric, each[backbone, baseline]
        elif (baseline, backbone) in each:
            other = each[baseline, backbone]
            found[task] = metric, other._replace(both=other.both.scaled(-1))
    return found


def _comparison(
    results: Results, backbone: str, task: str, metric: str, found: Repeated, said: str, claims: Any
) -> Comparison:
    ours, theirs = results.cost(backbone), results.cost(results.baseline)
    cheaper = {
        key: theirs[key] / ours[key] if ours[key] and theirs[key] else None for key in ("flops", "samples")
    }
    (low, high), (low_joint, high_joint) = (found.both.interval(level) for level in (0.95, 0.975))
    return Comparison(
        task=task,
        metric=metric,
        backbone=backbone,
        baseline=results.baseline,
        difference=found.both.value,
        low=low,
        high=high,
        low_joint=low_joint,
        high_joint=high_joint,
        error_images=found.by_images,
        error_seeds=found.by_seeds,
        coverage=_coverage(results.score(backbone, task, metric).metric, metric, found.both.value),
        repetitions=found.repetitions,
        pretrainings=found.pretrainings,
        margin=results.margin(metric),
        p_different=claims.different,
        p_not_worse=claims.not_worse,
        p_not_better=claims.not_better,
        verdict=said,
        cheaper_flops=cheaper["flops"],
        cheaper_samples=cheaper["samples"],
        baseline_above_random=None,
    )


def _coverage(of: Metric, metric: str, difference: float) -> float | None:
    """How often intervals of such differences held the truth in simulated worlds."""
    from benchmark.statistics.coverage import coverage

    if metric in ("bbox_mAP", "segm_mAP"):
        kind = "mAP"
    elif metric.startswith("mIoU"):
        kind = "mIoU"
    elif "half-samples" in (of.method or ""):
        kind = "multi-label mAP"
    else:
        kind = "accuracy over classes" if of.truth == "population of classes" else "accuracy over images"
    return coverage(f"difference of {kind}", of.n, abs(difference)) if of.n else None


def _places(results: Results, pairs: dict) -> list[Place]:
    from benchmark.statistics.noninferiority import ranks

    found = []
    for task, (metric, each) in pairs.items():
        names = [name for name in results.backbones if any(name in pair for pair in each)]
        scores = [results.score(name, task, metric).metric for name in names]
        signs = [1 if score.higher_is_better else -1 for score in scores]
        p_values = {
            (names.index(one), names.index(other)): repeated.both.p_value()
            for (one, other), repeated in each.items()
        }
        estimates = [sign * score.value for sign, score in zip(signs, scores, strict=True)]
        placed = zip(names, scores, ranks(estimates, p_values), strict=True)
        found += [Place(task, metric, name, score.value, *rank) for name, score, rank in placed]
    return found


def _read(file: Path, kind: type) -> Iterator[Any]:
    """Rows of a csv as dataclasses of one kind; none where it is missing or of another version."""
    types = {field.name: field.type for field in fields(kind)}
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                yield kind(**{name: _value(row[name], str(types[name])) for name in types})
    except (OSError, KeyError, ValueError, TypeError, csv.Error):
        return


def _value(text: str, kind: str) -> Any:
    if "None" in kind and text == "":
        return None
    if kind.startswith("bool"):
        return text == "True"
    return float(text) if kind.startswith("float") else int(text) if kind == "int" else text
