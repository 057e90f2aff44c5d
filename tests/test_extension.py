"""One module outside the packages adds a reader, an objective, a layout and a task; none of ours changes."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from benchmark.cli import main
from common.files import read_json

ROOT = Path(__file__).resolve().parent.parent

THEIRS = '''
from pathlib import Path

from backbones.checkpoints.base import Reader
from benchmark.data.base import DataLayout, DataCheck
from benchmark.records.schema import Metric
from benchmark.tasks.base import Outcome, Task
from common.errors import UserError
from pretraining.objectives.base import Objective


class Constant(Reader):
    source = "theirs"

    def load(self, rest, seed=0, weights=True):
        from backbones import load_backbone

        return load_backbone(f"random:{rest}", seed=3)


class Norm(Objective):
    """Learns nothing but small tokens."""

    name = "norm"

    def __init__(self, width, factor=1.0):
        super().__init__()
        self.factor = factor

    def forward(self, tokens, batch):
        return {"loss": self.factor * tokens.class_token.float().square().mean()}


class Numbers(DataLayout):
    name = "numbers"
    holds = "number.txt"

    def glance(self, path):
        return None if (Path(path) / "number.txt").is_file() else "no number.txt"

    def check(self, path):
        if problem := self.glance(path):
            raise UserError(f"{path} has {problem}: write one")
        return DataCheck(f"{path}: one number")


class Ratio(Task):
    layout = "theirs:Numbers"
    axes = {"offset": "task.offset"}

    def run(self, context):
        width = context.load_backbone().embed_dim
        number = float((context.data / "number.txt").read_text())
        value = width / number + context.settings.get("offset", 0)
        return Outcome(primary="ratio", metrics={"ratio": Metric(value=value, higher_is_better=False)})
'''


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    """Their module, installed: on the path of this process and of its children."""
    folder = tmp_path / "site"
    info = folder / "theirs-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "theirs.py").write_text(textwrap.dedent(THEIRS))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[catlip_transfer.backbones]\ntheirs = theirs:Constant\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "theirs", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return tmp_path


def test_their_task_runs_on_their_backbone_and_their_data(theirs, capsys):
    data, results = theirs / "data", theirs / "results"
    config = theirs / "ratio.py"
    config.write_text("task = dict(type='theirs:Ratio', data='number')\n")
    words = ["run", str(config), "--backbone", "theirs:vit_nano_conv16", "--results", str(results)]
    assert main(words) == 2
    assert "number.txt" in capsys.readouterr().err  # the layout says what the folder holds
    assert main(["prepare", "theirs:Numbers", "--check", str(theirs)]) == 2
    assert "no number.txt: write one" in capsys.readouterr().err
    data.mkdir()
    (data / "number.txt").write_text("16")
    assert main(["prepare", "theirs:Numbers", "--check", str(data)]) == 0
    words += ["--data", f"number={data}"]
    assert main(words) == 0 and "2.0" in capsys.readouterr().out
    assert main([*words, "--axis", "offset=1"]) == 0 and "3.0" in capsys.readouterr().out
    found = sorted(path.parent.name for path in results.rglob("record.json"))
    assert found == ["offset-1-seed0", "seed0"]
    cells = (results / "single" / "tables" / "cells.csv").read_text()
    assert cells.splitlines()[0].startswith("backbone,spec,task,offset,")


def test_their_objective_trains_a_backbone(theirs, pairs):
    config, out = theirs / "norm.py", theirs / "norm"
    config.write_text(
        "objective = dict(type='theirs:Norm', factor=2.0)\n"
        "optimizer = dict(lr=1e-3, warmup_samples=8)\narchitecture = 'vit_nano_conv16'\nimage_size = 32\n"
        "samples = 64\nbatch_size = 8\nnum_workers = 0\nval_batch_size = 8\n"
    )
    command = [sys.executable, "run_suite.py", "pretrain", str(config), "--out", str(out)]
    done = subprocess.run(
        [*command, "--data", f"pairs={pairs}"], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    card = read_json(out / "backbone.json")
    assert card["objective"] == "norm" and card["recipe"]["objective"]["factor"] == 2.0
    assert card["cost"]["samples"] == 64 and json.dumps(card["validation"])
