"""How much cheaper a step is, where it was timed in turns on this machine."""

from __future__ import annotations

from benchmark.reporting import speed
from benchmark.reporting.page.blocks import Figure, Grid, Section, Words
from benchmark.reporting.results import Results
from common.errors import UserError

LATEST = 2
"""Studies that are shown."""


def speed_ups(results: Results) -> Section | None:
    """The newest studies of ``run_suite.py speed`` beside the suite's results."""
    folder = results.folder.parent / speed.SUITE
    try:
        found = speed.studies(folder)
    except UserError:
        return None  # nothing was measured, or by earlier versions alone
    blocks: list = []
    for table in found[-LATEST:]:
        header, lines = speed.layout(table)
        figure = Figure.of_file(
            folder / "plots" / f"{table.key}.png",
            f"{speed.title(table)}: phases of a step, and how many times cheaper it is, with intervals.",
        )
        blocks += [*filter(None, [figure]), Grid.of_text(speed.title(table), header, lines)]
        blocks.append(Words(speed.notes(table), listed=True))
    lead = (
        "Timed in turns by python run_suite.py speed, which need not be on the machine of the results above."
    )
    return Section("speed", "Speed of a step", blocks, lead)
