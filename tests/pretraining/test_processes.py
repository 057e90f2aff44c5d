"""Pre-training on several processes: they learn what one learns, and what goes wrong with one ends all."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import gradients
import numpy as np
import pandas as pd
import pytest
import torch
from recipes import CATLIP, CLIP, DROPPING
from safetensors.torch import load_file
from waiting import wait_for

from benchmark.cli import main
from common.progress import read_progress
from common.training.launch import launch
from pretraining.folder import PROGRESS

ROOT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("KILLS", 1))
"""How often a process is killed at a random step; more than once is for those who doubt."""


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def configs(tmp_path):
    """Both objectives, without randomness that is each process's own."""
    paths = {}
    for name, text in (("catlip", CATLIP), ("clip", CLIP)):
        paths[name] = tmp_path / f"{name}.py"
        text = text.replace("drop_path_rate = 0.2", "").replace("num_workers = 1", "num_workers = 0")
        paths[name].write_text(text + DROPPING)
    return paths


def command(config, out, pairs, *options):
    return ["pretrain", str(config), "--out", str(out), "--data", f"pairs={pairs}", *options]


def started(*arguments, **environment):
    """A run in a process of its own."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "run_suite.py"), *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def same_outcome(first, second):
    """Losses, validation and averaged weights of two runs."""
    one, two = (pd.read_csv(folder / "history.csv").drop(columns="seconds") for folder in (first, second))
    assert list(one.columns) == list(two.columns)
    np.testing.assert_allclose(one, two, rtol=1e-5)
    same_weights(first, second)


def same_weights(first, second):
    weights = [load_file(folder / "weights.safetensors") for folder in (first, second)]
    for name, value in weights[0].items():
        np.testing.assert_allclose(weights[1][name], value, rtol=1e-3, atol=2e-5, err_msg=name)


def test_gradients_do_not_depend_on_how_many_share_the_batch(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    launch([sys.executable, gradients.__file__, str(tmp_path / "found.pt")], 2, tmp_path)
    found = torch.load(tmp_path / "found.pt", weights_only=True)
    for objective, theirs in found.items():
        ours = gradients.gradients(objective)
        assert ours.keys() == theirs.keys() and len(ours) > 20
        scale = max(value.norm() for value in ours.values())
        for name, value in ours.items():
            # exact zeros (a bias before BatchNorm, say) are zeros only up to rounding
            assert (theirs[name] - value).norm() <= 1e-5 * max(value.norm(), 1e-2 * scale), (objective, name)


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["catlip", "clip"])
def test_two_processes_learn_what_one_learns(pairs, configs, tmp_path, objective, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one, two = tmp_path / "one", tmp_path / "two"
    for out, processes in ((one, "1"), (two, "2")):
        words = command(configs[objective], out, pairs, "--processes", processes, "--set", "keep=[32]")
        assert main(words) == 0
    same_outcome(one, two)
    same_weights(one / "kept" / "32", two / "kept" / "32")
    kept = [json.loads((out / "kept" / "32" / "backbone.json").read_text())["cost"] for out in (one, two)]
    assert [(cost["processes"], cost["samples"]) for cost in kept] == [(1, 32), (2, 32)]
    costs = [json.loads((folder / "backbone.json").read_text())["cost"] for folder in (one, two)]
    assert [cost["processes"] for cost in costs] == [1, 2]
    for name in ("samples", "batch_size", "flops", "skipped_samples"):
        assert costs[0][name] == costs[1][name], name
    told = capfd.readouterr().err
    assert told.count(f"done, backbone run:{two}") == 1, "one of them tells"
    assert not (tmp_path / ".dist_test").exists(), "nothing is left in the working directory"


@pytest.mark.slow
def test_a_killed_process_ends_the_run_and_any_number_goes_on_with_it(pairs, configs, tmp_path):
    """On the same samples, each counted once."""
    config, whole = configs["catlip"], tmp_path / "whole"
    options = ("--set", "samples=400", "--set", "checkpoint_interval=3", "--set", "keep=[24,160]")
    assert main(command(config, whole, pairs, "--processes", "1", *options)) == 0
    generator = random.Random(KILLS)
    for attempt in range(KILLS):
        out = tmp_path / f"out{attempt}"
        run = started(*command(config, out, pairs, "--processes", "2", *options))
        step = generator.randrange(4, 40)
        wait_for(lambda out=out, step=step: (read_progress(out / PROGRESS) or NOTHING).done >= step, 120, run)
        victims = children(run.pid)
        os.kill(generator.choice(victims), signal.SIGKILL)
        killed = time.monotonic()
        said = run.communicate(timeout=60)[0]
        assert time.monotonic() - killed < 30
        assert run.returncode == 1 and "was killed by SIGKILL" in said.splitlines()[-1], said
        assert not (out / "backbone.json").exists()
        wait_for(lambda victims=victims: not any(Path(f"/proc/{pid}").exists() for pid in victims))
        processes = generator.choice(["1", "2", "4"])
        assert main(command(config, out, pairs, "--processes", processes, *options)) == 0
        same_outcome(whole, out)
        for kept in ("24", "160"):
            same_weights(whole / "kept" / kept, out / "kept" / kept)
        shutil.rmtree(out)


class NOTHING:
    done = 0


def children(pid):
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    assert len(listed) == 2
    return [int(child) for child in listed]


@pytest.mark.slow
def test_processes_started_from_outside_find_each_other_by_slurms_word(pairs, configs, tmp_path):
    """As torchrun's, but for who says it; and other data on one of them are told by both."""
    other = tmp_path / "other"
    shutil.copytree(pairs, other)
    (other / "train" / "00003.tar").unlink()
    with socket.socket() as free:
        free.bind(("", 0))
        port = str(free.getsockname()[1])
    slurm = {"SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_NODELIST": "localhost", "MASTER_PORT": port}
    runs = [
        started(
            *command(configs["catlip"], tmp_path / "out", data),
            **slurm,
            SLURM_PROCID=str(rank),
            SLURM_LOCALID=str(rank),
        )
        for rank, data in enumerate((pairs, other))
    ]
    for rank, run in enumerate(runs):
        said = run.communicate(timeout=120)[0].splitlines()[-1]
        assert run.returncode == 2, said
        assert (
            said.startswith(f"error: process {1 - rank} on ") and "has other data, or another recipe" in said
        )
    assert not (tmp_path / "out" / "training").exists()


def test_a_taken_port_is_one_line(pairs, configs, tmp_path):
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        rank = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost"}
        run = started(*command(configs["catlip"], tmp_path, pairs), **rank, MASTER_PORT=port)
        said = run.communicate(timeout=120)[0].splitlines()
    assert run.returncode == 2
    assert said[-1].startswith(f"error: the processes cannot meet at localhost:{port}"), said
    assert said[-1].endswith("set MASTER_PORT to a free port")


@pytest.mark.parametrize(
    ("count", "said"),
    [("0", "'--processes'"), ("3", "a batch of 8 cannot be dealt to 3 processes evenly")],
)
def test_an_impossible_number_of_processes_is_refused(pairs, configs, tmp_path, capsys, count, said):
    assert main(command(configs["catlip"], tmp_path / "out", pairs, "--processes", count)) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_was_started_from_outside_starts_no_more(pairs, configs, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(command(configs["catlip"], tmp_path / "out", pairs, "--processes", "4")) == 2
    assert "2 processes were started from outside: leave --processes out" in capsys.readouterr().err
