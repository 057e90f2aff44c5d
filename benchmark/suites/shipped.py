"""Where the suites that come with the project draw their data: for commands that name no folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.configs import CONFIGS, find_config, read_config
from common.errors import UserError
from common.names import suggest


@dataclass(frozen=True)
class Drawn:
    """Data that a suite draws.

    Attributes:
        suite: its name.
        name: of the entry of its `prepare` that draws them.
        folder: where they are, or will be.
    """

    suite: str
    name: str
    folder: Path

    @property
    def command(self) -> str:
        """Draws them."""
        return f"python run_suite.py prepare {self.name}"


def drawn_data(name: str, results: Path, pretraining: Path | None = None) -> Drawn | None:
    """Who draws the data that configs call `name`; None where they are not drawn but somebody's own.

    The default suite is asked first, and the first that draws such data answers, whether they are there or
    not: whoever wants those of another suite names their folder.

    Args:
        name: as a task config calls its data, or ``pairs``.
        results: the results folder.
        pretraining: ask only the suites that pre-train by this config.
    """
    for suite, config in _suites():
        place = config.get("data", {}).get(name, "")
        if pretraining is not None and pretraining not in _pretrained(config):
            continue
        for entry in config.get("prepare", {}):
            if Path(place).is_relative_to(drawn_folder(Path("{results}"), entry)):
                return Drawn(suite, entry, Path(place.replace("{results}", str(results))))
    return None


def drawing_suite(name: str) -> str:
    """The suite whose `prepare` has an entry `name`.

    Raises:
        UserError: there is none.
    """
    known = {}
    for suite, config in _suites():
        for entry in config.get("prepare", {}):
            known.setdefault(entry, suite)
    if name not in known:
        raise UserError(f"no suite draws data called {name!r}: {suggest(name, known)}")
    return known[name]


def drawn_folder(results: Path, name: str) -> Path:
    """Where the entry `name` of a suite's `prepare` is drawn."""
    return results / "data" / name


def _suites() -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and content of the suites, the default one first."""
    from benchmark.suites.suite import DEFAULT_SUITE, list_suites

    for name in sorted(list_suites(), key=lambda name: name != DEFAULT_SUITE):
        yield name, read_config(CONFIGS / "suites" / f"{name}.py").to_dict()


def _pretrained(config: dict[str, Any]) -> list[Path]:
    """The pre-training configs of a suite."""
    entries = config.get("pretraining", {}).values()
    return [find_config(entry["config"] if isinstance(entry, dict) else entry) for entry in entries]
