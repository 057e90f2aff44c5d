"""The top of the page: what was compared, where and when it was measured."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.records.schema import Environment, Record
from benchmark.reporting.results import Results, seeds_text


@dataclass(frozen=True)
class Head:
    """The top of the page."""

    title: str
    kicker: str
    lead: str
    facts: list[tuple[str, str]]
    footer: str


def head_of(results: Results) -> Head:
    """Title, what was compared, and where and when it was measured."""
    done = [row.record for row in results.all_rows if row.status == "done"]
    machines = sorted({_machine(r.environment) for r in done if r.environment})
    commits = sorted({(r.environment.commit or "unknown")[:12] for r in done if r.environment})
    scores = [results.score(name, task) for name in results.backbones for task in results.tasks]
    scores = [score for score in scores if score.seeds]
    facts = [
        ("Backbones", ", ".join(results.backbones)),
        ("Tasks", str(len(results.tasks))),
        ("Cells", f"{len(done)} of {len(results.all_rows)} done"),
    ]
    facts += [("Repetitions", seeds_text(scores))] if scores else []
    facts += [("Hardware", "; ".join(machines))] if machines else []
    facts += [("Measured", _days(done))] if done else []
    facts += [("Code", ", ".join(commits))] if commits else []
    return Head(
        title=f"Is the cheaply pre-trained backbone as good? Suite {results.suite}",
        kicker="CatLIP transfer suite",
        lead=(
            "Backbones that were pre-trained in different ways, taken to the same tasks on the same images. "
            "Every figure comes from a record on disk and leads to its command, seed, versions and hardware."
        ),
        facts=facts,
        footer="Made by python run_suite.py report, from the records beside this page.",
    )


def _machine(environment: Environment) -> str:
    """The GPU's name, or the processor's where there was none."""
    return environment.cpu if environment.device in (None, "cpu") else environment.device


def _days(records: list[Record]) -> str:
    days = sorted({record.finished[:10] for record in records})
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
