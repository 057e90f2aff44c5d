"""What a suite's config may say, typed: checked before anything of it is used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StrictBool

from common.names import is_folder_name
from common.settings import Settings, Text

MOST_SEEDS = 1000
"""More repetitions than anybody runs: a larger number is a slip."""


def _as_config(value: Any) -> Any:
    """A config of the suite by itself, written as its path alone."""
    return {"config": value} if isinstance(value, str) else value


def _as_folder(name: str) -> str:
    """The rule for what is drawn into ``{results}/data/<name>``."""
    if not is_folder_name(name):
        raise ValueError("the name is that of a folder: letters, digits, '.', '_' and '-' only")
    return name


Overrides = dict[Text, Any]
FolderName = Annotated[
    Text, BeforeValidator(lambda name: _as_folder(name) if isinstance(name, str) else name)
]
Seeds = Annotated[int, Field(strict=True, ge=1, le=MOST_SEEDS)]
Place = Annotated[Text, BeforeValidator(lambda value: str(value) if isinstance(value, Path) else value)]


class TaskEntry(Settings):
    """One entry of `tasks`; see `benchmark.suites.suite.load_suite`."""

    config: Text
    set: Overrides = Field({})
    name: Text | None = None
    axes: dict[Text, Any] = Field({})
    backbones: tuple[Text, ...] | None = None
    further: tuple[Text, ...] = ()


class PretrainingEntry(Settings):
    """One entry of `pretraining`."""

    config: Text
    set: Overrides = Field({})
    data: Text = "pairs"


class VocabularySettings(Settings):
    """Arguments of `pretraining.labels.vocabulary.Vocabulary.count`."""

    min_count: int | None = Field(None, strict=True, ge=1)
    max_size: int | None = Field(None, strict=True, ge=1)


class SuiteSettings(Settings):
    """The entries of a suite's config; what they mean says `benchmark.suites.suite.load_suite`."""

    backbones: dict[Text, Place] = Field(min_length=1)
    tasks: tuple[Annotated[TaskEntry, BeforeValidator(_as_config)], ...] = Field(min_length=1)
    seeds: Seeds = 1
    pretraining_seeds: Seeds | None = None
    data: dict[Text, Place] = Field({})
    prepare: dict[FolderName, dict[Text, Any]] = Field({})
    vocabulary: VocabularySettings = VocabularySettings()
    pretraining: dict[Text, Annotated[PretrainingEntry, BeforeValidator(_as_config)]] = Field({})
    curve: Any = None
    baseline: Text | None = None
    margins: dict[Text, Annotated[float, Field(strict=True, gt=0, lt=float("inf"))]] = Field({})
    partial: StrictBool = False
    tuning: StrictBool = False
