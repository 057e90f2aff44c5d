"""A suite whose tasks misbehave on demand, run for real in child processes."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

FAKE_TASK = """
import os, signal, time
from pathlib import Path

from common.errors import UserError
from benchmark.records.schema import Metric
from benchmark.tasks.base import Outcome, Task


class Fake(Task):
    protocol = 1

    def run(self, context):
        with open(os.environ["FAKE_RUNS"], "a") as file:
            file.write(f"{context.backbone} {context.seed}\\n")
        behaviour = context.settings["behaviour"]
        if isinstance(behaviour, dict):
            behaviour = behaviour.get(context.backbone, "ok")
        print("this goes to the log", flush=True)
        context.report("training", 3, 10, loss=1.5)
        if behaviour == "wait":
            go, deadline = Path(os.environ["FAKE_RUNS"]).with_suffix(".go"), time.monotonic() + 30
            while not go.exists() and time.monotonic() < deadline:
                time.sleep(0.02)
        if behaviour == "raise":
            raise RuntimeError("it broke\\nin two lines")
        if behaviour == "user error":
            raise UserError("picture.jpg is no image: replace it")
        if behaviour == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if behaviour == "exit":
            os._exit(7)
        value = float("nan") if behaviour == "nan" else 50.0 + context.seed
        metric = Metric(value=value, low=40.0, high=60.0, n=10, unit="percent", method="wilson over images")
        return Outcome(primary="top1", metrics={"top1": metric}, chosen={"l2": 0.001})
"""


@dataclass
class Harness:
    """Writes suites of fake tasks and counts what ran."""

    root: Path
    results: Path
    data: Path
    runs_file: Path

    def suite(
        self, behaviour: object = "ok", backbones: dict[str, str] | None = None, **entries: object
    ) -> Path:
        """A suite file with one fake task."""
        (self.root / "task.py").write_text(
            f"task = dict(type='fake_tasks:Fake', data='toy', behaviour={behaviour!r}, workers=1)\n"
        )
        entries = {
            "data": {"toy": str(self.data)},
            "backbones": backbones or {"a": "random:vit_nano_conv16"},
            "tasks": [str(self.root / "task.py")],
            **entries,
        }
        path = self.root / "toy.py"
        path.write_text("".join(f"{key} = {value!r}\n" for key, value in entries.items()))
        return path

    def load(self, *args: object, **kwargs: object):
        """The suite, read."""
        from benchmark.suites.suite import load_suite

        return load_suite(str(self.suite(*args, **kwargs)), self.results)

    def run(self, suite, retry_failed: bool = False, slots: int = 1):
        """Records of all its cells."""
        from benchmark.running.cells import run_cells
        from benchmark.running.console import Display
        from benchmark.running.launchers.local import LocalLauncher

        with Display() as display:
            return run_cells(suite.cells(), LocalLauncher(slots), display, retry_failed)

    @property
    def runs(self) -> list[str]:
        """``backbone seed`` of every time a task was run."""
        return self.runs_file.read_text().splitlines() if self.runs_file.exists() else []


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Harness:
    modules = tmp_path / "modules"
    data = tmp_path / "toy_data"
    for folder in (modules, data):
        folder.mkdir()
    (data / "picture.txt").write_text("not much")
    (modules / "fake_tasks.py").write_text(textwrap.dedent(FAKE_TASK))
    monkeypatch.syspath_prepend(str(modules))
    monkeypatch.delitem(__import__("sys").modules, "fake_tasks", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(modules))
    monkeypatch.setenv("FAKE_RUNS", str(tmp_path / "runs.txt"))
    return Harness(tmp_path, tmp_path / "results", data, tmp_path / "runs.txt")
