"""What is counted and written down of a pre-training."""

from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from common.errors import UserError
from pretraining.hooks import HistoryHook, MeanLoss, PairsCostHook
from pretraining.objectives.base import ImageTextBatch


def batch(skipped=None, cpu=0.0):
    return ImageTextBatch(torch.empty(100), [""] * 100, skipped=skipped or {}, loader_cpu_seconds=cpu)


def runner(step=0, steps=120):
    wrapper = SimpleNamespace(get_lr=lambda: {"lr": [0.5]})
    return SimpleNamespace(iter=step, max_iters=steps, optim_wrapper=wrapper)


def test_the_loaders_and_what_they_skipped_are_counted():
    cost, checkpoint = PairsCostHook(), {}
    cost.start_clocks()
    cost.after_train_iter(runner(0), 0, batch({"0.tar:3": 1}, cpu=50.0))
    cost.after_train_iter(runner(1), 1, batch({"0.tar:3": 1, "1.tar": 1}, cpu=50.0))
    assert 100 <= cost.cpu_seconds < 110 and cost.skipped == {"0.tar:3": 2, "1.tar": 1}
    cost.before_save_checkpoint(None, checkpoint)
    assert type(checkpoint["cost"]["skipped"]) is dict
    resumed = PairsCostHook()
    resumed.after_load_checkpoint(None, checkpoint)
    assert resumed.counts() == cost.counts() and resumed.skipped.total() == 3


def test_rotten_data_end_the_run_once_there_are_enough_to_tell():
    cost = PairsCostHook()
    cost.start_clocks()
    cost.after_train_iter(runner(0), 0, batch({"0.tar:3": 90}))
    with pytest.raises(UserError, match=r"101 of 1000 samples could not be read \(for instance 0\.tar:3\)"):
        cost.after_train_iter(runner(9), 9, batch({"1.tar:0": 11}))


def history(path, first, last):
    hook = HistoryHook(path, 8, SimpleNamespace(seconds=2.5))
    hook.before_train(runner(first))
    for step in range(first, last):
        hook.after_train_iter(runner(step), step, None, {"loss": torch.tensor(1.0 * step)})
    return hook


def test_history_has_sixty_rows_or_so_and_one_per_validation(tmp_path):
    hook = history(tmp_path / "history.csv", 0, 50)
    hook.after_val_epoch(runner(50), {"val/loss": 3.0})
    hook.after_val_epoch(runner(51), {"val/loss": 2.0})
    table = pd.read_csv(tmp_path / "history.csv")
    assert table.step.tolist() == [*range(2, 51, 2), 51] and table.samples.tolist()[-1] == 408
    assert table.columns.tolist() == ["step", "samples", "seconds", "lr", "loss", "val_loss"]
    assert table.val_loss.dropna().tolist() == [3.0, 2.0] and hook.validation == {"val_loss": 2.0}
    assert table.loss[1] == 3.0 and table.seconds[1] == 2.5 and table.lr[1] == 0.5


def test_a_resumed_history_forgets_what_is_done_again(tmp_path):
    history(tmp_path / "history.csv", 0, 50).write()
    history(tmp_path / "history.csv", 41, 60).write()
    assert pd.read_csv(tmp_path / "history.csv").step.tolist() == list(range(2, 61, 2))
    history(tmp_path / "history.csv", 0, 4).write()
    assert pd.read_csv(tmp_path / "history.csv").step.tolist() == [2, 4]


def test_the_mean_over_validation_batches():
    metric = MeanLoss()
    metric.process(None, [{"loss": 1.0, "temperature": 0.1}])
    metric.process(None, [{"loss": 2.0, "temperature": 0.3}])
    assert metric.evaluate(2) == pytest.approx({"val/loss": 1.5, "val/temperature": 0.2})
