"""A training goes on from the last good checkpoint, and runs none of what a bad one holds."""

import shutil
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch.utils.data import DataLoader, TensorDataset

from common.training.runner import ResumableRunner

pytestmark = pytest.mark.usefixtures("one_thread")


class Model(BaseModel):
    def __init__(self, width=3):
        super().__init__()
        self.linear = torch.nn.Linear(width, 1)

    def forward(self, inputs, mode="tensor"):
        return {"loss": self.linear(inputs).square().mean()}


class Stop(BaseException):
    """What a killed process is to the loop."""


class StopHook(Hook):
    def __init__(self, at):
        self.at, self.seen = at, []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.seen.append(runner.iter + 1)
        if runner.iter + 1 == self.at:
            raise Stop


class Evil:
    """Leaves a trace where it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


def train(folder, stop=None, width=3, iterations=12, **options):
    """Train a line for some iterations, saving every second one; returns the runner and what it did."""
    torch.manual_seed(0)
    hook = StopHook(stop)
    settings = {
        "model": Model(width),
        "work_dir": str(folder),
        "train_dataloader": DataLoader(TensorDataset(torch.randn(iterations, width))),
        "train_cfg": {"by_epoch": False, "max_iters": iterations},
        "optim_wrapper": {"optimizer": {"type": "AdamW", "lr": 0.1}},
        "param_scheduler": [
            {"type": "MultiStepLR", "by_epoch": False, "milestones": [5, 9]},
            {"type": "CosineAnnealingLR", "by_epoch": False, "begin": 5, "end": 12, "T_max": 7},
        ],
        "default_hooks": {
            "checkpoint": {"type": "CheckpointHook", "by_epoch": False, "interval": 2, "max_keep_ckpts": 3},
            "logger": {"type": "LoggerHook", "interval": 1},
        },
        "custom_hooks": [hook, {"type": "EMAHook", "momentum": 0.1}],
        "resume": True,
        "randomness": {"seed": 0},
        "default_scope": "mmengine",
        "experiment_name": f"{folder.name}-{len(list(folder.glob('*')))}-{id(hook)}",
    }
    runner = None
    try:
        runner = ResumableRunner(**{**settings, **options})
        runner.train()
    except Stop:
        assert stop is not None
    return runner, hook.seen


def same(first, second):
    ours, theirs = first.model.state_dict(), second.model.state_dict()
    averages = [runner.averaged_model.state_dict() for runner in (first, second)]
    return all(torch.equal(ours[name], theirs[name]) for name in ours) and all(
        torch.equal(averages[0][name], averages[1][name]) for name in averages[0]
    )


@pytest.fixture
def killed(tmp_path):
    folder = tmp_path / "killed"
    _, seen = train(folder, stop=7)
    assert seen == list(range(1, 8)) and (folder / "last_checkpoint").read_text().endswith("iter_6.pth")
    return folder


def test_averaged_weights_of_another_model_are_left_aside_before_anything_is_loaded(killed):
    checkpoint = torch.load(killed / "iter_6.pth", weights_only=True)
    name = next(iter(checkpoint["ema_state_dict"]))
    del checkpoint["ema_state_dict"][name]
    torch.save(checkpoint, killed / "iter_6.pth")
    _, seen = train(killed)
    assert seen == list(range(5, 13))  # from iter_4.pth


def test_a_checkpoint_is_tensors_and_plain_values_and_a_resumed_run_ends_as_an_unbroken_one(killed, tmp_path):
    torch.load(killed / "iter_6.pth", weights_only=True)  # no allow-list
    whole, _ = train(tmp_path / "whole")
    resumed, seen = train(killed)
    assert seen == list(range(7, 13)) and same(whole, resumed)
    rates = [runner.optim_wrapper.get_lr()["lr"] for runner in (whole, resumed)]
    assert rates[0] == rates[1]
    # and forgets none of the checkpoints it is to remove
    assert sorted(path.name for path in killed.glob("*.pth")) == ["iter_10.pth", "iter_12.pth", "iter_8.pth"]


def test_what_a_planted_checkpoint_holds_is_not_run(killed, tmp_path):
    trace = tmp_path / "trace"
    planted = torch.load(killed / "iter_6.pth", weights_only=True)
    torch.save({**planted, "extra": Evil(trace)}, killed / "iter_50.pth")
    (killed / "last_checkpoint").write_text(str(killed / "iter_50.pth"))
    runner, seen = train(killed)
    assert not trace.exists()
    assert seen == list(range(7, 13))  # the one before it serves
    log = next(Path(runner.log_dir).glob("*.log")).read_text()
    assert "iter_50.pth is left aside: it is damaged, or holds more than tensors" in log


def test_a_config_text_in_a_checkpoint_is_not_run(killed, tmp_path):
    trace = tmp_path / "trace"
    planted = torch.load(killed / "iter_6.pth", weights_only=True)
    planted["meta"]["config"] = f"import pathlib\npathlib.Path({str(trace)!r}).touch()\n"
    torch.save(planted, killed / "iter_6.pth")
    _, seen = train(killed)
    assert not trace.exists() and seen[0] == 7


@pytest.mark.parametrize("harm", ["torn", "empty", "text", "missing", "weights", "other", "scalar"])
def test_training_goes_on_from_the_checkpoint_before_a_bad_one(killed, tmp_path, harm):
    path = killed / "iter_6.pth"
    content = path.read_bytes()
    path.unlink()
    if harm == "torn":
        path.write_bytes(content[: len(content) // 2])
    elif harm == "empty":
        path.write_bytes(b"")
    elif harm == "text":
        path.write_text("<html>not found</html>")
    elif harm == "weights":
        torch.save(Model().state_dict(), path)
    elif harm == "other":
        other = tmp_path / "other"
        train(other, stop=7, width=5)
        shutil.copy(other / "iter_6.pth", path)
    elif harm == "scalar":
        torch.save(3, path)
    runner, seen = train(killed)
    assert seen == list(range(5, 13))
    log = next(Path(runner.log_dir).glob("*.log")).read_text()
    assert log.count("iter_6.pth is left aside") == 1
    assert same(train(tmp_path / "whole")[0], runner)


def test_a_moved_folder_is_resumed_and_the_old_place_is_not_read(killed, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(killed, moved)
    for path in killed.glob("*.pth"):
        path.write_text("another training")
    _, seen = train(moved)
    assert seen == list(range(7, 13))


@pytest.mark.parametrize("pointer", ["", "\0\udcff", "../elsewhere/", "iter_9999.pth"])
def test_a_pointer_to_nothing_is_no_reason_to_give_up(killed, pointer):
    (killed / "last_checkpoint").write_bytes(pointer.encode(errors="surrogateescape"))
    assert train(killed)[1] == list(range(7, 13))


def test_without_a_usable_checkpoint_training_starts_over(killed):
    for path in killed.glob("*.pth"):
        path.write_bytes(b"PK\x03\x04")
    assert train(killed)[1] == list(range(1, 13))


def test_without_a_pointer_nothing_is_resumed(killed):
    (killed / "last_checkpoint").unlink()
    assert train(killed)[1] == list(range(1, 13))


def test_what_is_kept_is_the_average_where_there_is_one(tmp_path):
    averaging, _ = train(tmp_path / "averaging", iterations=3)
    kept, last = averaging.trained_model.linear.weight, averaging.model.linear.weight
    assert averaging.trained_model is averaging.averaged_model.module and not torch.equal(kept, last)
    plain, _ = train(tmp_path / "plain", iterations=3, custom_hooks=[StopHook(None)])
    assert plain.averaged_model is None and plain.trained_model is plain.model


@pytest.mark.parametrize("quiet", [True, False])
def test_a_quiet_log_is_in_its_file_alone(tmp_path, capfd, quiet):
    runner, _ = train(tmp_path / "run", iterations=2, quiet=quiet)
    log = next(Path(runner.log_dir).glob("*.log")).read_text()
    assert "Saving checkpoint" in log
    assert ("Saving checkpoint" in "".join(capfd.readouterr())) != quiet


def test_processes_that_torchrun_started_train_together(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr("common.training.group.join", lambda: started.append("joined"))
    monkeypatch.setattr(ResumableRunner, "setup_env", lambda self, env: None)

    def seeded(self, diff_rank_seed, **others):
        started.append((self.launcher, diff_rank_seed))
        raise Stop

    monkeypatch.setattr(ResumableRunner, "set_randomness", seeded)
    for variables in ({}, {"LOCAL_RANK": "0", "WORLD_SIZE": "1"}):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        train(tmp_path / "run", stop=1, launcher="slurm")
    assert started == ["joined", ("none", False), "joined", ("pytorch", True)]
