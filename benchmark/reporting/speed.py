"""What the ``speed`` command found: a table of four ratios, and a plot of where the time goes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.records.published import Reference
from benchmark.records.schema import Metric, Record
from benchmark.records.store import find_records
from benchmark.reporting.canvas import STYLE, new_canvases, save
from benchmark.reporting.scaling_plot import write_scaling_plot
from benchmark.reporting.study_details import is_of_a_study
from benchmark.reporting.tables import csv_text, escape, markdown_table, rich_table
from common.errors import UserError
from common.files import write_text
from common.names import slug

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

SUITE = "speed"
"""What its records are called, and their folder."""
PROTOCOL = 1
"""Of the records; those of another are left out."""
RATIOS = {
    "cheaper_flops": "(a) FLOPs",
    "cheaper_same_batch": "(b) same batch",
    "cheaper_real_pairs": "(b) real pairs",
    "cheaper_largest_batch": "(c) largest batch",
    "cheaper_device_hours": "(d) device-hours",
}
"""Metrics of records -> headings; each is the reference's cost over the contender's, per image."""
_PUBLISHED = ("relative_gpu_hours", "ViT-B/16", "CatLIP")
PHASE_COLOURS = {
    "data": "#bbbbbb",
    "image tower": "#4477aa",
    "text tower": "#ee6677",
    "loss": "#ccbb44",
    "backward": "#66ccee",
    "communication": "#aa3377",
    "optimizer": "#228833",
}


@dataclass
class Table:
    """One study: contenders that took turns.

    Attributes:
        geometry: its name.
        axes: device, processes, batch, precision, recipe.
        records: by contender.
    """

    geometry: str
    axes: dict[str, Any]
    records: dict[str, Record]

    @property
    def key(self) -> str:
        """Names the study's files."""
        key = next(iter(self.records.values())).details["study"]
        return slug("-".join([self.geometry, *map(str, self.axes.values()), key]))

    @property
    def reference(self) -> str:
        return next(iter(self.records.values())).details["reference"]


def studies(folder: Path, since: str = "") -> list[Table]:
    """The studies in a folder of records, the newest last.

    Args:
        folder: ``<results>/speed``.
        since: leave out what was measured before, ISO 8601.

    Raises:
        UserError: there are none.
    """
    found: dict[str, Table] = {}
    records = [
        record
        for path, record in find_records(folder)
        if record.started >= since
        and record.task.type == SUITE
        and record.task.protocol == PROTOCOL
        and is_of_a_study(path, record)
    ]
    for record in sorted(records, key=lambda record: record.started):
        empty = Table(record.task.name, record.task.axes, {})
        table = found.setdefault(f"{record.task.name} {record.details['study']}", empty)
        table.records[record.backbone.name] = record
    for table in found.values():
        order = next(iter(table.records.values())).details["contenders"]
        table.records = dict(sorted(table.records.items(), key=lambda item: order.index(item[0])))
    if not found:
        raise UserError(f"{folder} holds no measurements: make some with python run_suite.py speed")
    return list(found.values())


def show(folder: Path, since: str = "") -> None:
    """Print the tables of studies, and bring the files of all studies up to date."""
    from benchmark.running.console import say, say_notes, stdout

    write(folder)
    console = stdout()
    for table in studies(folder, since):
        console.print(rich_table(title(table), *layout(table), names=1))
        say_notes(notes(table), console)
    say(f"tables: {folder / 'tables'}\nplots:  {folder / 'plots'}", console)


def write(folder: Path) -> list[Path]:
    """Write ``tables/speed.md`` and ``.csv``, and a plot for each study."""
    import matplotlib

    tables = studies(folder)
    write_text(folder / "tables" / "speed.md", "\n\n".join(map(markdown, tables)) + "\n")
    write_text(folder / "tables" / "speed.csv", csv_text([line for table in tables for line in rows(table)]))
    files = [folder / "tables" / name for name in ("speed.md", "speed.csv")]
    with matplotlib.rc_context(STYLE):
        for table in tables:
            files += save(plot(table), folder / "plots" / f"{table.key}.png")
    # One plot for all numbers of processes that are otherwise alike.
    alike: dict[str, list[Table]] = {}
    for table in tables:
        rest = {key: value for key, value in table.axes.items() if key != "processes"}
        alike.setdefault(slug("-".join([table.geometry, *map(str, rest.values())])), []).append(table)
    for key, group in alike.items():
        files += _scaling(group, folder / "plots" / f"scaling-{key}.png")
    return files


def _scaling(tables: list[Table], path: Path) -> list[Path]:
    measured: dict[str, dict[int, float]] = {}
    newest = max(tables, key=lambda table: next(iter(table.records.values())).started)
    forecast = next(iter(newest.records.values())).details["forecast"]
    for table in tables:
        for name in forecast["objectives"]:
            rate = table.records[name].metrics.get("images_per_second") if name in table.records else None
            if rate is not None:
                measured.setdefault(name, {})[table.axes["processes"]] = rate.value / _cores(table)
    return write_scaling_plot(forecast["scaling"], measured, path, newest.axes["device"], forecast["device"])


def _cores(table: Table) -> int:
    """How many devices a process has: cores, or one GPU."""
    record = next(iter(table.records.values()))
    return 1 if "cuda" in record.details["machine"] else record.environment.threads


def title(table: Table) -> str:
    """What was measured, on what."""
    axes = table.axes
    many = f"{axes['processes']} process{'' if axes['processes'] == 1 else 'es'}"
    where = f"{table.geometry} on {axes['device']}, {many}"
    recipe = ", recipes of the paper" if axes["recipe"] == "paper" else ""
    return f"{where}, {axes['batch_size']} images each, {axes['precision']}{recipe}"


def layout(table: Table) -> tuple[list[str], list[list[str]]]:
    """Header and lines, as text."""
    header = ["", "images/s", "largest batch", "memory", "FLOPs/image", *RATIOS.values()]
    if any("joules_per_image" in record.metrics for record in table.records.values()):
        header.insert(5, "J/image")
    lines = []
    for name, record in table.records.items():
        metrics = record.metrics
        line = [
            name,
            _interval(metrics.get("images_per_second"), ".0f"),
            _largest(record),
            _number(metrics.get("peak_memory"), lambda value: f"{value / 2**30:.2f} GiB"),
            _number(metrics.get("flops_per_image"), lambda value: f"{value:.3g}"),
        ]
        if len(header) > 5 + len(RATIOS):
            line.append(_interval(metrics.get("joules_per_image"), ".3g"))
        for metric in RATIOS:
            known = any(metric in other.metrics for other in table.records.values())
            line.append("1" if known and name == table.reference else _interval(metrics.get(metric), ".2f"))
        lines.append(line)
    return header, lines


def notes(table: Table) -> list[str]:
    """What the numbers are, in sentences."""
    records = list(table.records.values())
    details = records[0].details
    found = [
        f"Ratios are {table.reference}'s cost over each one's, per image: above 1 is cheaper. Timed ones are "
        f"means of {details['rounds']} rounds in turns without the lowest and the highest, with 95 % "
        "intervals for endless rounds on this machine, as busy as it was.",
    ]
    for name, differences in details["differences"].items():
        if differences:
            found.append(f"{name} is trained by another recipe, too: {', '.join(differences)}.")
    for name, record in table.records.items():
        if (word := record.details.get("bound")) is None:
            continue
        rate = f"{record.details['found']['loader']:,.0f} images/s of each process by itself"
        if not record.details["loaders"]:
            found.append(f"{name} on real pairs: a process loads between its steps, {rate}.")
        elif word == "loader":
            found.append(f"{name} on real pairs: the loader bounds, it is {rate}.")
        else:
            found.append(f"{name} on real pairs: the step bounds, not the loader: {rate}.")
    found += [f"Not measured, because memory did not suffice: {what}." for what in details["left_out"]]
    timed = [name for name, r in table.records.items() if r.details["found"]["bounded_by"] == "time"]
    if timed:
        found.append(
            f"Largest batch of {' and '.join(timed)}: time was the limit, not memory (longer steps "
            "were not tried), so that (c) says nothing of memory on this device."
        )
    ahead = details["forecast"]
    found.append(
        f"(d) is predicted by the cost model, for {ahead['devices']} x {ahead['device']} in bf16: "
        + "; ".join(
            f"{name} {hours['device_hours']:,.3g} device-hours at {hours['batch_size']:,} images each"
            for name, hours in ahead["objectives"].items()
        )
        + ". METHODOLOGY.md says how well it holds."
    )
    found += [_account(account) for account in ahead["paper"]]
    found += _beside_the_paper(table)
    if energy := details.get("energy"):
        found.append(f"Joules are those of {', '.join(energy)}, whoever used them.")
    found.append(f"Command: {records[0].command}")
    return found


def markdown(table: Table) -> str:
    """A study in GitHub's Markdown."""
    text = markdown_table(*layout(table), names=1)
    return "\n".join(
        [f"## {escape(title(table))}", "", *text, "", *(f"- {escape(note)}" for note in notes(table))]
    )


def rows(table: Table) -> list[dict[str, Any]]:
    """A study for whoever computes further: a row for each metric of each contender."""
    return [
        {
            "geometry": table.geometry,
            **table.axes,
            "contender": name,
            "metric": metric,
            **{key: getattr(value, key) for key in ("value", "low", "high", "n", "unit", "method", "truth")},
            "command": record.command,
            "fingerprint": record.fingerprint,
        }
        for name, record in table.records.items()
        for metric, value in record.metrics.items()
    ]


def plot(table: Table) -> Canvas:
    """Phases of a step, and the ratios with their intervals."""
    canvas, (left, right) = new_canvases(11, 3.6, 2)
    phased = {
        name: record.details["found"]
        for name, record in table.records.items()
        if record.details["found"]["phases"]
    }
    for number, found in enumerate(phased.values()):
        parts, start = found["phases"] | {"communication": found["communication"] or 0.0}, 0.0
        for phase, colour in PHASE_COLOURS.items():
            width = 1e3 * parts.get(phase, 0.0) / table.axes["batch_size"]
            left.barh(number, width, left=start, color=colour, label=phase if number == 0 or width else None)
            start += width
    left.set_yticks(range(len(phased)), list(phased))
    left.invert_yaxis()
    left.set_xlabel("ms per image of a process")
    left.set_title("where a step's time goes")
    handles = dict(zip(*reversed(left.get_legend_handles_labels()), strict=True))
    canvas.legend(handles.values(), handles.keys(), loc="outside lower left", fontsize=8, ncols=7)
    others = [name for name in table.records if name != table.reference]
    for offset, name in enumerate(others):
        metrics = table.records[name].metrics
        for number, metric in enumerate(RATIOS):
            if (ratio := metrics.get(metric)) is None:
                continue
            place = number + 0.2 * (offset - (len(others) - 1) / 2)
            error = [[ratio.value - ratio.low], [ratio.high - ratio.value]] if ratio.low is not None else None
            right.errorbar(
                place, ratio.value, yerr=error, fmt="o", color=f"C{offset}", capsize=3,
                label=name if number == 0 or metric == "cheaper_same_batch" else None,
            )  # fmt: skip
    right.axhline(1, color="black", lw=0.8)
    right.set_xticks(range(len(RATIOS)), [name.replace(" ", "\n", 1) for name in RATIOS.values()], fontsize=8)
    right.set_ylabel(f"times cheaper than {table.reference}")
    right.set_title("four ratios")
    handles = dict(zip(*reversed(right.get_legend_handles_labels()), strict=True))
    right.legend(handles.values(), handles.keys(), fontsize=8)
    canvas.suptitle(title(table), fontsize=10)
    return canvas


def _beside_the_paper(table: Table) -> list[str]:
    """How far CatLIP's ratios are from the paper's, and which part of that gain this device cannot show."""
    if not {"catlip", "clip"} <= table.records.keys() or table.reference != "clip":
        return []
    metrics, found = table.records["catlip"].metrics, table.records["catlip"].details["found"]
    if (here := metrics.get("cheaper_same_batch")) is None:
        return []
    published, counted, many = 1 / _published_hours(), metrics["cheaper_flops"].value, table.axes["processes"]
    parts = [
        f"{counted:.2f} of it is arithmetic, {here.value / counted:.2f} what that does not count "
        "(memory, kernels)"
    ]
    if (most := metrics.get("cheaper_largest_batch")) is None:
        parts.append("a larger batch for catlip was not measured")
    elif found["bounded_by"] == "time":
        parts.append("this device does not show what catlip's smaller memory allows")
    else:
        parts.append(f"each at its largest batch it is {_interval(most, '.2f')}")
    processes = f"{many} process{'' if many == 1 else 'es'}"
    parts.append(f"the communication of {processes} is in it, not that of the paper's 64 and 256 GPUs")
    parts.append(
        "CLIP's recipe is the paper's as far as it was measured"
        if table.axes["recipe"] == "paper"
        else "the recipes are the same, which the paper's were not"
    )
    word = "not the" if here.high < published else "beside the"
    spec = table.records["catlip"].backbone.spec
    other = "" if spec == "random:vit_base_conv16" else "; this is another ViT"
    return [
        f"catlip is {_interval(here, '.2f')} times as cheap as clip at the same batch, {word} paper's "
        f"{published:.1f} of ViT-B/16 (arXiv 2404.15653, figure 1c){other}: {'; '.join(parts)}."
    ]


def _published_hours() -> float:
    """GPU-hours of CatLIP in CLIP's, from the table of published figures."""
    for figure in Reference(strict=False).figures:
        if (figure.metric, figure.backbone, figure.objective) == _PUBLISHED:
            return figure.value
    raise LookupError(f"results/published has no {' '.join(_PUBLISHED)}")


def _account(account: dict[str, Any]) -> str:
    factors = " x ".join(f"{value:.3f} ({what})" for what, value in account["factors"].items())
    return (
        f"The paper's device-hours of CatLIP in CLIP's, predicted for {account['device']}, "
        f"{account['assuming']}: {factors} = {account['predicted']:.2f}."
    )


def _interval(metric: Metric | None, form: str) -> str:
    if metric is None:
        return "–"
    if metric.low is None:
        return f"{metric.value:{form}}"
    return f"{metric.value:{form}} [{metric.low:{form}}, {metric.high:{form}}]"


def _number(metric: Metric | None, form) -> str:
    return "–" if metric is None else form(metric.value)


def _largest(record: Record) -> str:
    rate = record.metrics.get("images_per_second_largest_batch")
    if rate is None:
        return "–"
    return f"{record.metrics['largest_batch'].value:.0f}: {_interval(rate, '.0f')}"
