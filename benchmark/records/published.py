"""What others published, and which task is to be held against what of it: the tables in results/published.

``noise.csv``, ``tasks.csv`` and ``panels.csv`` have forms of their own; any other csv there is of figures.
"""

from __future__ import annotations

import csv
import logging
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from common import PROJECT
from common.errors import UserError
from common.terminal import printable

logger = logging.getLogger(__name__)

FOLDER = PROJECT / "results" / "published"

Words = Annotated[tuple[str, ...], BeforeValidator(lambda text: tuple(str(text).split()))]
"""A cell of words with spaces between them."""
Parts = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda text: tuple(part.strip() for part in text.split(";") if part.strip())),
]
"""A cell of phrases with semicolons between them."""
Count = Annotated[int | None, BeforeValidator(lambda text: text or None)]


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


LineT = TypeVar("LineT", bound=_Line)


class Published(_Line):
    """One published figure.

    Attributes:
        task: what was done, in words of this table: ``imagenet1k_finetune``.
        metric: as our records name it.
        backbone: the architecture, as ``ViT-B/16``.
        objective, pretraining_data: of its pre-training.
        resolution: of the transfer's images, in pixels per side.
        value: in `unit`.
        unit: ``percent`` or ``ratio``.
        source: where it was published; ``paper`` is arXiv 2404.15653.
    """

    task: str
    metric: str
    backbone: str
    objective: str
    pretraining_data: str
    resolution: int
    value: float
    unit: str
    source: str


class Noise(_Line):
    """How far two trainings of the same recipe are apart.

    Attributes:
        task, metric: as in `Published`.
        floor: differences of up to so much, in `unit`, say nothing.
        source: who says so.
    """

    task: str
    metric: str
    floor: float
    unit: str
    source: str


class Counterpart(_Line):
    """What was published of the protocol that a task config has.

    Attributes:
        config: below task_configs.
        task: as in `Published`.
        relation: the config ``reproduces`` it, or does the like on other data, as a ``miniature``.
        data: how the config names its data; empty where any will do.
        resolution: pixels per side; None where the backbone decides.
        images: that it is tested on.
        differs: what of the protocol is not as published.
    """

    config: str
    task: str
    relation: Literal["reproduces", "miniature"]
    data: str = ""
    resolution: Count = None
    images: Count = None
    differs: Parts = ()


class Panel(_Line):
    """A part of one of the paper's tables or figures.

    Attributes:
        panel: ``table2``, ``figure5a``.
        title: what it shows.
        config: the task, below task_configs; empty where no task makes it.
        backbones: of the suite that is called `paper`.
        axes: names of the task's axes that its cells differ by.
        published: as `Published.task`; empty where the paper's values are lost.
        resolution: of these.
        sources: of these, as `Published.source`.
        command: what makes it, where no cell does.
        missing: what a suite cannot make of it; empty where nothing is missing.
        note: what must be known to read it.
    """

    panel: str
    title: str
    config: str = ""
    backbones: Words = ()
    axes: Words = ()
    published: str = ""
    resolution: Count = None
    sources: Parts = ()
    command: str = ""
    missing: str = ""
    note: str = ""

    def shows(self, figure: Published) -> bool:
        """Whether a published figure belongs to it."""
        size = self.resolution in (None, figure.resolution)
        return self.published == figure.task and size and figure.source in self.sources


class Reference:
    """All tables of a folder, each read when it is asked for.

    Args:
        folder: where they are.
        strict: a damaged table is an error; otherwise it is named, and its lines are missed.
    """

    def __init__(self, folder: Path = FOLDER, strict: bool = True) -> None:
        self.folder = Path(folder)
        self.strict = strict

    @cached_property
    def figures(self) -> list[Published]:
        """Every figure, file by file.

        Raises:
            UserError: there is no such file, or one of them is damaged.
        """
        known = ("noise.csv", "tasks.csv", "panels.csv")
        paths = [path for path in sorted(self.folder.glob("*.csv")) if path.name not in known]
        if not paths and self.strict:
            raise UserError(f"{self.folder} holds no published figures: git checkout results/published")
        return [line for path in paths for line in self._lines(path, Published)]

    @cached_property
    def noise(self) -> dict[tuple[str, str], float]:
        """(task, metric) -> differences of up to so much say nothing."""
        lines = self._lines(self.folder / "noise.csv", Noise)
        return {(line.task, line.metric): line.floor for line in lines}

    @cached_property
    def counterparts(self) -> dict[str, Counterpart]:
        """Config, below task_configs -> what was published of its protocol."""
        return {line.config: line for line in self._lines(self.folder / "tasks.csv", Counterpart)}

    @cached_property
    def panels(self) -> list[Panel]:
        """The paper's tables and figures, in its order."""
        return self._lines(self.folder / "panels.csv", Panel)

    def _lines(self, path: Path, kind: type[LineT]) -> list[LineT]:
        try:
            return read_table(path, kind)
        except UserError as error:
            if self.strict:
                raise
            logger.warning("%s", printable(error))
            return []

    def counterpart(self, config: str) -> Counterpart | None:
        """What was published of the protocol of a config, as a record names it.

        A file of the same name elsewhere is another config.
        """
        below = config.removeprefix("task_configs/")
        return self.counterparts.get(below) if below != config else None


def panel_parts(panels: list[Panel]) -> dict[str, list[Panel]]:
    """Panels by name, in their order: most are made of several tasks."""
    found: dict[str, list[Panel]] = {}
    for part in panels:
        found.setdefault(part.panel, []).append(part)
    return found


def panel_keys(part: Panel) -> set[tuple[str, str, frozenset[str]]]:
    """(config below task_configs, backbone, names of axes) of the cells that are in a panel."""
    return {(part.config, name, frozenset(part.axes)) for name in part.backbones if part.config}


def read_table(path: Path, kind: type[LineT]) -> list[LineT]:
    """The lines of one of these tables.

    Raises:
        UserError: it cannot be read, or a line is not of that kind; the message names file and line.
    """
    found, line = [], 1
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, restkey="", strict=True)
            needed = {name for name, field in kind.model_fields.items() if field.is_required()}
            if lacking := needed - set(reader.fieldnames or ()):
                raise ValueError(f"there is no column {min(lacking)!r}")
            for row in reader:
                line = reader.line_num
                if "" in row or None in row.values():
                    raise ValueError(f"{'more' if '' in row else 'fewer'} cells than columns")
                found.append(kind.model_validate(row))
    except OSError as error:
        problem = error.strerror
    except ValidationError as error:
        first = error.errors()[0]
        problem = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except (ValueError, csv.Error) as error:
        problem = str(error)
    else:
        return found
    raise UserError(f"{path}, line {line}: {problem}: mend it, or git checkout results/published")
