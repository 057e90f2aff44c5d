"""The job of a pre-training: a checkpoint folder is made, or the failure is kept in it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from benchmark.records.schema import Failure
from benchmark.running.console import Display
from benchmark.running.jobs import Job
from benchmark.running.launchers.base import Handle
from benchmark.suites.suite import Pretraining
from common import PROJECT
from common.configs import override_words
from common.files import read_json, write_text
from pretraining import recipe
from pretraining.folder import PROGRESS


@dataclass(frozen=True)
class Pretrained:
    """How a pre-training went: the checkpoint is there, or `failure` says why not."""

    failure: Failure | None = None


class PretrainingJob(Job[Pretrained]):
    """One pre-training of a suite. It runs alone, because what it costs is measured.

    Args:
        entry: which.
        pairs: the folder of image–text pairs.
        display: where it is told why a finished one runs again.
    """

    alone = True

    def __init__(self, entry: Pretraining, pairs: Path, display: Display) -> None:
        self.entry = entry
        self.label = f"pre-train {entry.name}"
        self.folder = entry.out
        self.progress = entry.out / PROGRESS
        self._pairs = pairs
        self._display = display
        self._note = entry.out / "failed.json"
        self._fingerprint = ""

    def known(self, retry_failed: bool) -> Pretrained | None:
        if self._is_finished():
            return Pretrained()
        loaded = recipe.load_recipe(self.entry.config, self.entry.overrides)
        self._fingerprint = recipe.fingerprint(loaded, self._pairs)
        try:
            failure = Failure.model_validate(read_json(self._note))
        except ValidationError:  # none, or a damaged one
            return None
        if failure.fingerprint != self._fingerprint or retry_failed:
            return None
        return Pretrained(failure)

    def order(self) -> list[str]:
        self._note.unlink(missing_ok=True)
        if lacking := recipe.lacking(*self._run()):
            self._display.line(f"{self.label}: {recipe.why_again(lacking)}")
        return pretraining_command(self.entry, self._pairs)

    def finish(self, child: Handle, code: int) -> Pretrained:
        if code == 0 and self._is_finished():
            return Pretrained()
        tail = child.tail()
        reason = tail[-1].removeprefix("error: ") if tail and code > 0 else child.ending()
        error = f"pre-training {self.entry.name} failed: {reason} (log: {self.folder / 'train.log'})"
        failure = Failure(fingerprint=self._fingerprint, error=error, log_tail=tail)
        write_text(self._note, failure.model_dump_json(indent=2) + "\n")
        return Pretrained(failure)

    def text(self, result: Pretrained) -> str:
        return f"FAILED: {result.failure.error}" if result.failure else "done"

    def _is_finished(self) -> bool:
        return recipe.finished(*self._run())

    def _run(self) -> tuple[Path, Path, dict[str, Path], dict[str, Any]]:
        return self.entry.config, self.entry.out, {"pairs": self._pairs}, self.entry.overrides


def pretraining_command(entry: Pretraining, pairs: Path) -> list[str]:
    """The command of the child process."""
    command = [sys.executable, str(PROJECT / "run_suite.py"), "pretrain", str(entry.config)]
    command += ["--out", str(entry.out), "--data", f"pairs={pairs}"]
    return command + override_words(entry.overrides)
