"""A model's page on Hugging Face's hub: README.md with YAML in front, and ``.eval_results`` beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from backbones.layout import Layout
from benchmark.reporting.names import column_title, figure_text, task_titles
from benchmark.reporting.results import Results
from benchmark.reporting.tables import escape, markdown_table, score_text
from common.errors import UserError
from common.files import write_text
from common.names import slug

if TYPE_CHECKING:
    from backbones.card import Card


class HubData(NamedTuple):
    """Where data of a suite are on the hub: a benchmark's dataset, and the task in its ``eval.yaml``."""

    dataset: str
    task: str


def parse_hub_data(words: list[str]) -> dict[str, HubData]:
    """``NAME=OWNER/DATASET:TASK`` -> where the data NAME are.

    Raises:
        UserError: a word is not of that form.
    """
    found = {}
    for word in words:
        name, _, place = word.partition("=")
        dataset, _, task = place.partition(":")
        if not (name and task and dataset.count("/") == 1 and all(dataset.split("/"))):
            raise UserError(
                f"--dataset {word}: write NAME=OWNER/DATASET:TASK, as the benchmark's eval.yaml has it"
            )
        found[name] = HubData(dataset, task)
    return found


def write(
    folder: Path, name: str, card: Card, found: Results, hub: dict[str, HubData], library: str | None = None
) -> tuple[list[Path], list[str]]:
    """Write ``README.md`` and ``.eval_results/<task>.yaml`` into a model's folder.

    Entries are for data that are a benchmark on the hub, which `hub` alone says: others are in the table of
    the README only.

    Args:
        folder: of the model.
        name: what it is called.
        card: what is known of it.
        found: its finished cells (`benchmark.reporting.exports.by_weights`).
        hub: name of data -> where they are on the hub.
        library: that reads the folder's weights; None where they are not in it.

    Returns:
        The files, and what was left out, in words.
    """
    files = [folder / "README.md"]
    write_text(files[0], readme(name, card, found, library))
    entries = eval_results(found, hub)
    for task, entry in entries.items():
        files.append(folder / ".eval_results" / f"{slug(task)}.yaml")
        write_text(files[-1], "\n".join(_yaml([entry])) + "\n")
    known = [row.data for row in found.rows]
    absent = [data for data in dict.fromkeys(known) if data not in hub]
    notes = (
        [f"no .eval_results for {', '.join(absent)}: not said to be on the hub (--dataset)"] if absent else []
    )
    return files, notes


def eval_results(found: Results, hub: dict[str, HubData]) -> dict[str, dict[str, Any]]:
    """Task -> its entry by the hub's format, of the primary metric, for tasks on data that are there."""
    entries, titles = {}, task_titles(found)
    for task, metric, key in found.columns():
        rows = [row for row in found.rows if row.task == task]
        if key != task or rows[0].data not in hub:
            continue
        score, place = found.score(rows[0].name, task, metric), hub[rows[0].data]
        entries[task] = {
            "dataset": {"id": place.dataset, "task_id": place.task},
            "value": score.metric.value,
            "date": max(row.record.finished for row in rows)[:10],
            "notes": f"{column_title(titles[task], score.name, score.metric.unit)}: {score_text(score)}, "
            f"{score.seeds} run{'s' * (score.seeds > 1)}; 95 % interval: {score.metric.method or 'none'}",
        }
    return entries


def readme(name: str, card: Card, found: Results, library: str | None = None) -> str:
    """The model card: front matter, what the model is, how it was pre-trained, what was measured and how."""
    front: dict[str, Any] = {"library_name": library} if library else {}
    front |= {"pipeline_tag": "image-feature-extraction", "tags": ["vision", "vit"]}
    if card.objective:
        front["tags"].append(card.objective)
    parts = ["---", *_yaml(front), "---", "", f"# {escape(name)}", "", _architecture(card), ""]
    parts += [
        "No licence is stated: that of the weights and of the images they learnt from is for you to add.",
        "",
    ]
    parts += ["## Pre-training", "", *_pretraining(card), "", "## Results", ""]
    parts += [*_results(found), "", "## Commands", ""]
    parts += _block(dict.fromkeys(row.record.command for row in found.rows + found.shares))
    return "\n".join(parts) + "\n"


def _architecture(card: Card) -> str:
    said = "A Vision Transformer, image tower alone"
    if isinstance(layout := card.architecture, Layout):
        said += (
            f": {layout.depth} blocks of width {layout.embed_dim} with {layout.num_heads} heads, patches of "
            f"{layout.patch_size} pixels, images of {layout.image_size}"
        )
    if card.preprocessing:
        shown = card.preprocessing
        said += (
            f". Images are resized ({shown.interpolation}) and normalised by mean {list(shown.mean)} and "
            f"standard deviation {list(shown.std)}"
        )
    return escape(f"{said}.")


def _pretraining(card: Card) -> list[str]:
    if card.objective is None:
        return ["How it was pre-trained is not recorded."]
    told = {"objective": card.objective}
    if cost := card.cost:
        figures = {
            "image–text pairs seen": cost.samples,
            "FLOPs": cost.flops,
            "wall seconds": cost.seconds and round(cost.seconds),
            "CPU seconds": cost.cpu_seconds and round(cost.cpu_seconds),
            "pairs per step": cost.batch_size,
        }
        told |= {what: figure_text(value) for what, value in figures.items() if value is not None}
        told |= {"precision": cost.precision} if cost.precision else {}
    lines = markdown_table(["", ""], [[what, str(value)] for what, value in told.items()])
    if card.command:
        lines += ["", *_block([card.command])]
    if card.recipe:
        lines += ["", "The recipe:", "", *_block([json.dumps(card.recipe, indent=2)])]
    return lines


def _results(found: Results) -> list[str]:
    titles, lines = task_titles(found), []
    for task, metric, _ in found.columns():
        row = next(row for row in found.rows if row.task == task and metric in row.record.metrics)
        score = found.score(row.name, task, metric)
        title = column_title(titles[task], score.name, score.metric.unit)
        lines.append([title, score_text(score), str(score.seeds), row.data, str(row.record.task.protocol)])
    notes = dict.fromkeys(note for row in found.rows for note in row.record.notes)
    return [
        "Frozen or fine-tuned, as the task says; 95 % intervals in brackets say how far the test set limits "
        "a figure, and nothing of other seeds of pre-training.",
        "",
        *markdown_table(["task and metric", "figure", "runs", "data", "protocol"], lines, 1),
        *(["", *(f"- {escape(note)}" for note in notes)] if notes else []),
    ]


def _block(lines: Any) -> list[str]:
    """Lines as code: indented, so that nothing in them ends it."""
    return [f"    {line}" for text in lines for line in str(text).splitlines()]


def _yaml(value: Any, indent: str = "") -> list[str]:
    """Nested dicts and lists as YAML; text as JSON has it, which YAML reads, no unprintable character."""
    lines = []
    for key, item in value.items() if isinstance(value, dict) else ((None, item) for item in value):
        head = f"{indent}- " if key is None else f"{indent}{key}: "
        if isinstance(item, dict | list):
            inner = _yaml(item, indent + "  ")
            if key is None:
                lines += [head + inner[0].lstrip(), *inner[1:]]
            else:
                lines += [head.rstrip(), *inner]
        else:
            text = json.dumps(item, ensure_ascii=False)
            lines.append(head + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in text))
    return lines
