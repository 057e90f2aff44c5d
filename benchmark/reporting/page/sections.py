"""What the page shows, part by part; each part is left out where there is nothing to be shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from benchmark.records.schema import Metric
from benchmark.reporting import (
    comparisons,
    efficiency,
    labels,
    ladder,
    published,
    time_to_quality,
    verdict_plot,
)
from benchmark.reporting.comparisons import Comparison, Place
from benchmark.reporting.names import column_title, figure_text, metric_title, task_titles, titled
from benchmark.reporting.notes import notes_of
from benchmark.reporting.page.blocks import Figure, Grid, Item, Section, Verdicts, Words
from benchmark.reporting.page.galleries import credits, galleries
from benchmark.reporting.page.provenance import anchor_of, cells_of, pretrainings_of
from benchmark.reporting.page.speed import speed_ups
from benchmark.reporting.results import Results, Score
from benchmark.reporting.tables import score_text
from common.names import slug

BADGES = {
    "better": "good",
    "equal within δ": "even",
    "not worse": "even",
    "worse": "bad",
    "undecided": "open",
}
COSTS = {"samples": ("samples", ",.0f"), "FLOPs": ("flops", ".2e"), "CPU seconds": ("cpu_seconds", ",.0f")}
"""Of pre-training, in words -> key of `Results.cost`, how it is written."""

QUALITY = ("ece", "nll", "brier")
"""Of calibration, the smaller the better."""


def sections_of(results: Results) -> list[Section]:
    """All parts that have anything to show, in order."""
    made = (part(results) for part in PARTS)
    return [section for section in made if section is not None and section.blocks]


def verdicts(results: Results) -> Section | None:
    """One sentence per task: is the backbone as good as the baseline, at what cost."""
    titles = task_titles(results)
    found = comparisons.of_pretrained(results)
    entries = [(_sentence(entry, titles), entry.verdict, BADGES[entry.verdict]) for entry in found]
    lead = f"Against {results.baseline}, on the same test images." if entries else ""
    blocks: list = []
    if any(entry.repetitions == 1 for entry in found):
        blocks.append(Words([comparisons.ONE_SEED], strong=True))
    blocks += [Verdicts(entries)] if entries else []
    if said := time_to_quality.sentences(results):
        blocks.append(Words(titled(said, titles), listed=True))
    if found:
        reached = [entry.coverage for entry in found if entry.coverage is not None]
        said = [comparisons.covered(reached)] if reached else []
        blocks.append(Words([comparisons.NOTE, *said, comparisons.JOINT]))
        line = "One line per task: the difference from the baseline with its 95 % interval beside δ."
        figure = Figure.of_file(results.folder / "plots" / verdict_plot.NAME, line)
        blocks += [figure] if figure else []
        blocks.append(_verdict_table(found, titles))
    return Section("verdict", "Verdict", blocks, lead)


def main_table(results: Results) -> Section | None:
    """Backbone by task: figure, interval, group of ties, verdict."""
    titles, names = task_titles(results), list(results.backbones)
    said, placed = comparisons.comparisons(results), comparisons.places(results)
    verdict = {(entry.task, entry.metric, entry.backbone): entry for entry in said}
    place = {(entry.task, entry.metric, entry.backbone): entry for entry in placed}
    rows = []
    for task, metric, _ in results.columns():
        scores = [results.score(name, task, metric) for name in names]
        if metric is None:
            rows.append([Item(titles[task]), *(Item(score_text(score)) for score in scores)])
            continue
        unit = next(score.metric.unit for score in scores if score.metric)
        cells = [Item(column_title(titles[task], metric, unit))]
        for name, score in zip(names, scores, strict=True):
            key = task, metric, name
            cells.append(_score(results, task, name, score, place.get(key), verdict.get(key)))
        rows.append(cells)
    costs = [results.cost(name) for name in names]
    for what, (key, form) in COSTS.items():
        if any(cost[key] for cost in costs):
            texts = ["–" if cost[key] is None else format(cost[key], form) for cost in costs]
            rows.append([Item(f"Pre-training, {what}"), *map(Item, texts)])
    lead = (
        "Each figure with its 95 % interval for the population that the test set is a sample of; backbones "
        "of one letter cannot be told apart on that task. Figures lead to the run they come from."
    )
    grid = Grid("Backbones by task", ["", *names], rows)
    overview = Figure.of_file(
        results.folder / "plots" / "overview.png",
        "One panel per task and metric: each backbone's figure as a point with its 95 % interval.",
    )
    return Section("results", "Results", [grid, *filter(None, [overview])], lead)


def cost(results: Results) -> Section | None:
    """Quality against the cost of pre-training, and what equal quality cost."""
    titles, blocks = task_titles(results), []
    for task in results.tasks:
        figure = Figure.of_file(
            results.folder / "plots" / f"curve_{slug(task)}.png",
            f"{titles[task]}: quality of each pre-trained backbone on its way, against what it had cost.",
            f"{titles[task]} along pre-training.",
        )
        blocks += [figure] if figure else []
    equal = [
        line
        for ways in time_to_quality.trajectories(results).values()
        for line in time_to_quality.equal_quality(results, ways)
    ]
    if equal:
        header = ["task", "backbone", "against", "cost in", "at quality", "times cheaper", "over the range"]
        rows = [
            [
                Item(titles.get(line["task"], line["task"])),
                *map(Item, (line["backbone"], line["baseline"], line["cost"].replace("_", " "))),
                _number(line["highest_common_quality"]),
                *(_ratio(line, key) for key in ("at_level", "over_range")),
            ]
            for line in equal
        ]
        blocks.append(Grid("Baseline's cost over the backbone's, at equal quality", header, rows, 4))
        blocks.append(Words(time_to_quality.NOTES, listed=True))
    if not blocks:
        for task in results.tasks[:1]:
            figure = Figure.of_file(
                results.folder / "plots" / f"{slug(task)}_against_cost.png",
                f"{titles[task]} against the cost of pre-training.",
            )
            blocks += [figure] if figure else []
    return Section("cost", "Quality and cost", blocks)


def less_data(results: Results) -> Section | None:
    """Data-efficiency."""
    blocks = []
    for task, lines in efficiency.lines_of(results).items():
        header, rows = efficiency.layout(lines)
        figure = Figure.of_file(
            results.folder / "plots" / f"efficiency_{slug(task)}.png",
            f"{task}: figure of each backbone against the share of the training data.",
            wide=False,
        )
        title = task.replace("_", " ").capitalize()
        blocks += [*filter(None, [figure]), Grid.of_text(title, header, rows)]
    if blocks:
        blocks.append(Words(efficiency.sentences(results), listed=True))
    return Section("less-data", "With less data", blocks)


def methods(results: Results) -> Section | None:
    """Whether methods of transfer rank backbones alike."""
    titles = task_titles(results)
    rows = [
        [
            Item(titles.get(pair.first, pair.first)),
            Item(titles.get(pair.second, pair.second)),
            Item(str(pair.backbones)),
            Item(f"{pair.tau:+.2f}", sort=pair.tau),
            Item(f"{pair.p:.2g}", sort=pair.p),
        ]
        for pair in ladder.pairs_of(results)
    ]
    if not rows:
        return None
    header = ["method", "method", "backbones", "Kendall's τ", "p"]
    grid = Grid("How alike two methods of transfer rank the backbones", header, rows, 2)
    lead = "Does a cheap method of transfer tell what a dear one would?"
    words = Words(ladder.sentences(results), listed=True)
    return Section("ladder", "Ladder of transfer", [grid, words], lead)


def robustness(results: Results) -> Section | None:
    """Further test sets, and how far probabilities can be trusted."""
    titles, names, blocks = task_titles(results), list(results.backbones), []
    shifted = _metrics(results, lambda name: "_on_" in name)
    if shifted:
        rows = _metric_rows(results, shifted, names, titles)
        blocks.append(Grid("On further test sets with the same classes", ["", *names], rows))
    quality = _metrics(results, lambda name: name.removesuffix("_scaled") in QUALITY)
    if quality:
        rows = _metric_rows(results, quality, names, titles)
        blocks.append(Grid("Calibration, as trained and scaled; smaller is better", ["", *names], rows))
    return Section("robustness", "Robustness and calibration", blocks)


def pictures(results: Results) -> Section | None:
    """What backbones find on the same images."""
    lead = "The first repetition of each backbone, on the same test images."
    return Section("pictures", "Side by side", [*galleries(results), *credits(results)], lead)


def published_figures(results: Results) -> Section | None:
    """What was measured beside what was published, and the paper's panels."""
    blocks: list = []
    lines = [line for line in published.beside(results) if line.relation == "reproduces"]
    if lines:
        header, rows = published.layout(lines)
        blocks.append(Grid.of_text("Measured and published", header, rows, 3))
    if said := published.sentences(results):
        blocks.append(Words(titled(said, task_titles(results)), listed=True))
    for path in sorted((results.folder / "plots").glob("paper_*.svg")):
        name = path.stem.removeprefix("paper_")
        figure = Figure.of_file(path, f"The paper's {name}, from the cells that are done, beside its values.")
        blocks += [figure] if figure else []
    return Section("published", "Beside the paper", blocks)


def mined_labels(results: Results) -> Section | None:
    """The labels that were learnt, and how many of the tasks' classes are among them."""
    figure = Figure.of_file(
        results.folder / "plots" / "synset_frequency.png",
        "How often each label was seen in pre-training, by rank.",
        wide=False,
    )
    blocks: list = [figure] if figure else []
    if covered := labels.coverage(results):
        kinds = list(dict.fromkeys(kind for entry in covered for kind in entry.counts))
        rows = [
            [
                entry.data,
                entry.backbone,
                f"{entry.alpha:g}",
                *(str(entry.counts.get(kind, 0)) for kind in kinds),
            ]
            for entry in covered
        ]
        header = ["data", "backbone", "similarity of at least", *kinds]
        blocks.append(Grid.of_text("Classes of the tasks among the labels", header, rows, 2))
    return Section("labels", "Labels", blocks)


def training(results: Results) -> Section | None:
    """Losses of pre-training, and what each cost."""
    figure = Figure.of_file(
        results.folder / "plots" / "pretraining_loss.png",
        "Loss of each pre-training against the samples it had seen, one panel per objective.",
    )
    return Section("pre-training", "Pre-training", [*filter(None, [figure]), *pretrainings_of(results)])


def unfinished(results: Results) -> Section | None:
    """What is missing, failed or outdated."""
    titles, rows = task_titles(results), []
    for row in results.all_rows:
        if row.status != "done":
            rows.append([row.name, titles[row.task], row.repetition, row.status, row.error])
    if not rows:
        return None
    header = ["backbone", "task", "seed", "state", "why"]
    lead = "Run the suite again to complete it; --retry-failed tries again what failed."
    return Section("unfinished", "Not done", [Grid.of_text("Cells without a result", header, rows, 5)], lead)


def notes(results: Results) -> Section | None:
    """What the figures mean and cannot tell."""
    said = titled(notes_of(results), task_titles(results))
    return Section("notes", "What these figures mean", [Words(said, listed=True)])


def provenance(results: Results) -> Section | None:
    """Every cell: command, config, seed, versions, hardware."""
    lead = "One entry per run: what it found, the command that repeats it, and where it ran."
    return Section("runs", "Every run", cells_of(results), lead)


PARTS: tuple[Callable[[Results], Section | None], ...] = (
    verdicts,
    main_table,
    cost,
    speed_ups,
    less_data,
    methods,
    robustness,
    pictures,
    published_figures,
    mined_labels,
    training,
    unfinished,
    notes,
    provenance,
)


def _sentence(entry: Comparison, titles: dict[str, str]) -> str:
    return comparisons.sentence(entry, titles[entry.task], metric_title(entry.metric))


def _verdict_table(found: list[Comparison], titles: dict[str, str]) -> Grid:
    header = ["task", "backbone", "verdict", "difference", "95 %", "97.5 %", "δ", "p", "error: images"]
    header += ["error: seeds", "FLOPs of baseline / own"]
    rows = [
        [
            Item(f"{titles[entry.task]}, {metric_title(entry.metric)}"),
            Item(entry.backbone),
            Item(entry.verdict, badge=BADGES[entry.verdict]),
            Item(f"{entry.difference:+.1f}", sort=entry.difference),
            Item(f"{entry.low:+.1f} to {entry.high:+.1f}", sort=entry.low),
            Item(f"{entry.low_joint:+.1f} to {entry.high_joint:+.1f}", sort=entry.low_joint),
            Item(f"{entry.margin:g}"),
            Item(_p_text(entry.p_different), sort=entry.p_different),
            Item(f"{entry.error_images:.2f}"),
            Item("–" if entry.error_seeds is None else f"{entry.error_seeds:.2f}"),
            Item("–" if entry.cheaper_flops is None else f"{entry.cheaper_flops:.2f}"),
        ]
        for entry in found
    ]
    return Grid("Paired comparisons, in points", header, rows, 3)


def _score(
    results: Results, task: str, name: str, score: Score, place: Place | None, verdict: Comparison | None
) -> Item:
    if score.metric is None:
        return Item(score_text(score))
    text = figure_text(score.metric.value)
    if score.spread.total is not None:
        text += f" ± {score.spread.total:.1f}"
    small = _interval(score.metric)
    if place and place.ties:
        small = f"{small} {place.ties}".strip()
    if score.status != "done":
        small += f" {score.status} in part"
    badge = BADGES[verdict.verdict] if verdict else ""
    if verdict:
        small += f" · {verdict.verdict}"
    return Item(text, small, anchor_of(results, name, task), badge, score.metric.value)


def _interval(metric: Metric) -> str:
    return "" if metric.low is None else f"[{figure_text(metric.low)}, {figure_text(metric.high)}]"


def _metrics(results: Results, wanted: Callable[[str], bool]) -> list[tuple[str, str]]:
    """(task, metric) of the records whose metric is wanted, each once, in order."""
    found = {
        (row.task, metric): None
        for row in results.rows
        if row.status == "done"
        for metric in row.record.metrics
        if wanted(metric)
    }
    return list(found)


def _metric_rows(
    results: Results, found: Iterable[tuple[str, str]], names: list[str], titles: dict[str, str]
) -> list[list[Item]]:
    rows = []
    for task, metric in found:
        scores = [results.score(name, task, metric) for name in names]
        unit = next(score.metric.unit for score in scores if score.metric)
        cells = [Item(column_title(titles[task], metric, unit))]
        for name, score in zip(names, scores, strict=True):
            if score.metric is None:
                cells.append(Item("–"))
            else:
                value = score.metric.value
                text = f"{value:.3f}" if unit != "percent" else figure_text(value)
                cells.append(Item(text, _interval(score.metric), anchor_of(results, name, task), "", value))
        rows.append(cells)
    return rows


def _p_text(p_value: float) -> str:
    return "< 0.0001" if p_value < 1e-4 else f"{p_value:.2g}"


def _number(value: float) -> Item:
    return Item(figure_text(value), sort=value)


def _ratio(line: dict, key: str) -> Item:
    value = line[key]
    if isinstance(value, str):
        return Item(value)
    low, high = line[f"{key}_low"], line[f"{key}_high"]
    return Item(f"{value:.2f}", "" if low is None else f"[{low:.2f}, {high:.2f}]", sort=value)
