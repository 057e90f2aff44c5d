"""What the mined labels of a suite's pre-trainings are like, and which classes of its tasks they hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ValidationError

from benchmark.reporting.results import Results

VOCABULARY = "vocabulary.csv"


class _Report(BaseModel):
    """What a record's details say of matched labels, as far as it is told here."""

    labels: dict[str, int]
    alpha: float = 0.0


class Coverage(NamedTuple):
    """How many classes of a data set a backbone's classifier has rows for.

    Attributes:
        data: the data set's name.
        backbone: name of the backbone.
        counts: kind of match (``exact``, ``similar``, ...) -> number of classes.
        alpha: similarity from which on a match counts.
    """

    data: str
    backbone: str
    counts: dict[str, int]
    alpha: float


def write(results: Results) -> list[Path]:
    """Draw the labels' frequencies, of the first pre-training that has a vocabulary."""
    file = next(_vocabularies(results), None)
    if file is None:
        return []
    from benchmark.reporting.label_plots import write_frequency_plot
    from pretraining.labels.vocabulary import Vocabulary

    return write_frequency_plot(Vocabulary.load(file), results.folder / "plots")


def coverage(results: Results) -> list[Coverage]:
    """What Transfer Init and classification by synset rows found, each data set once for each backbone."""
    found: dict[tuple[str, str], Coverage] = {}
    for row in results.rows + results.shares:
        if row.status != "done":
            continue
        for key in ("transfer_init", "rows"):
            with suppress(ValidationError):  # of another version, or edited
                report = _Report.model_validate(row.record.details.get(key))
                entry = Coverage(row.record.data.name, row.name, report.labels, report.alpha)
                found.setdefault((entry.data, entry.backbone), entry)
    return list(found.values())


def _vocabularies(results: Results) -> Iterator[Path]:
    for backbone in results.backbones.values():
        source, _, folder = backbone.partition(":")
        file = Path(folder) / VOCABULARY
        if source == "run" and file.is_file():
            yield file
