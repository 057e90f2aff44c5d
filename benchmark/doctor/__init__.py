"""What is wrong with this installation, and the one line that repairs it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmark.doctor import child, installation, resources
from benchmark.doctor.findings import REINSTALL, Check, Finding

__all__ = ["PATIENCE", "Finding", "examine"]

PATIENCE = 30.0
"""Seconds without a sign of life after which the checks that import PyTorch are given up."""


def examine(results: Path, data: dict[str, Path], patience: float = PATIENCE) -> list[Finding]:
    """Look at everything, in some seconds.

    Args:
        results: folder that results will go to; need not exist.
        data: folders of data sets to look at, by the names that task configs use.
        patience: see `benchmark.doctor.child.StackChecks`.

    Returns:
        One finding per check. A check that breaks down is an error among them.
    """
    with child.StackChecks(patience) as stack:
        found = [check.run() for check in _light_checks(results, data)]
        installed, rest = found[:4], found[4:]
        return [*installed, *stack.findings(), *rest]


def _light_checks(results: Path, data: dict[str, Path]) -> list[Check]:
    folders = [
        Check(
            f"data {name}",
            partial(resources.data_folder, name, path, results),
            f"point to it: --data {name}=PATH",
        )
        for name, path in data.items()
    ]
    elsewhere = "write elsewhere: --results FOLDER"
    return [
        Check("Python", installation.python, REINSTALL),
        Check("packages", installation.packages, REINSTALL),
        Check("forks", installation.forks, REINSTALL),
        Check("variables", installation.environment, "env shows the variables"),
        Check("memory", resources.memory, "free -g shows what takes it"),
        Check("disk", partial(resources.disk, results), elsewhere),
        Check("results", partial(resources.write_access, results), elsewhere),
        Check("WordNet", resources.lexicon, resources.RESTORE_LEXICON),
        *folders,
    ]
