"""Cost, waiting and progress of a training, by a clock of the test's own."""

from types import SimpleNamespace

import pytest
import torch

from common.progress import ProgressFile, read_progress
from common.training import hooks
from common.training.hooks import CostHook, ProgressHook, RandomStateHook, WaitHook


class Clock:
    """Stands for the module `time`."""

    now = 0.0

    def perf_counter(self):
        return self.now

    process_time = monotonic = perf_counter


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(hooks, "time", made)
    return made


class Training:
    """Steps through a training of which only the time passes."""

    def __init__(self, clock, report=None, iterations=10):
        self.clock = clock
        self.cost = CostHook()
        self.wait = WaitHook(self.cost)
        self.progress = ProgressHook(report, self.cost, batch_size=8) if report else None
        self.runner = SimpleNamespace(iter=0, max_iters=iterations, val_dataloader=[0] * 3)
        self.cost.before_train(self.runner)

    def step(self, loading, computing, saving=0.0, **losses):
        """One step, and how many seconds each part of it takes."""
        outputs = {name: torch.tensor(value) for name, value in (losses or {"loss": 1.5}).items()}
        self.clock.now += loading
        self.cost.before_train_iter(self.runner, self.runner.iter)
        self.clock.now += computing
        self.cost.after_train_iter(self.runner, self.runner.iter, outputs=outputs)
        if self.progress:
            self.progress.after_train_iter(self.runner, self.runner.iter, outputs=outputs)
        self.clock.now += saving
        self.wait.after_train_iter(self.runner, self.runner.iter, outputs=outputs)
        self.runner.iter += 1


def test_averaging_and_saving_are_not_waiting_for_data(clock):
    training = Training(clock)
    training.step(1.0, 2.0, 5.0)
    training.step(0.5, 2.0, 5.0)
    assert training.cost.data_seconds == 1.5
    assert training.cost.seconds == 1.0 + 2.0 + 5.0 + 0.5 + 2.0  # what follows the last step is nobody's


def test_validation_costs_nothing(clock):
    training = Training(clock)
    training.step(1.0, 2.0)
    clock.now += 100
    training.cost.after_val_epoch(training.runner)
    training.step(1.0, 2.0)
    assert (training.cost.seconds, training.cost.data_seconds) == (6.0, 2.0)


def test_a_resumed_training_tells_the_whole_cost(clock):
    first, second, checkpoint = Training(clock), Training(clock), {}
    first.step(1.0, 2.0)
    first.cost.before_save_checkpoint(first.runner, checkpoint)
    second.cost.after_load_checkpoint(second.runner, {"cost": {**checkpoint["cost"], "steps": 7}})
    second.cost.before_train(second.runner)
    second.step(1.0, 2.0)
    assert second.cost.counts() == {"seconds": 6.0, "cpu_seconds": 6.0, "data_seconds": 2.0}
    fresh = CostHook()
    fresh.after_load_checkpoint(None, {})  # of a training that did not count
    assert fresh.seconds == 0


@pytest.mark.parametrize(("loading", "told"), [(1.0, True), (0.1, False)])
def test_waiting_for_data_reaches_the_people_who_look(clock, tmp_path, loading, told):
    """From the hook through the progress file to the line that a suite shows."""
    file = ProgressFile(tmp_path / "progress.json", interval=0)
    training = Training(clock, file)
    training.step(60.0, 1.0)  # until the loaders have started: not what more of them would mend
    assert read_progress(file.path).text() == "training 1/10, loss 1.500"
    for _ in range(3):
        training.step(loading, 1.0)
    state = read_progress(file.path)
    assert state.images_per_second == pytest.approx(8 / (1 + loading))
    assert state.seconds_left == pytest.approx(6 * (1 + loading))
    assert state.waiting_for_data == pytest.approx(loading / (1 + loading))
    assert ("50% of the time waiting for data: raise num_workers" in state.text()) == told


def test_pace_is_that_of_late(clock):
    told = []
    training = Training(clock, lambda *state, **pace: told.append(pace), iterations=1000)
    for _ in range(100):
        training.step(9.0, 1.0)
    for _ in range(60):
        training.step(0.0, 1.0)
    assert told[99]["waiting_for_data"] == pytest.approx(0.9)
    assert told[-1] == {"images_per_second": 8.0, "seconds_left": 840.0, "waiting_for_data": 0.0}


def test_validation_is_told_too(clock):
    told = []
    training = Training(clock, lambda *state, **pace: told.append(state))
    training.progress.after_val_iter(training.runner, 1)
    assert told == [("validation", 2, 3)]


def test_a_loss_that_is_no_number_ends_the_training_at_its_step(clock):
    told = []
    training = Training(clock, lambda *state, **pace: told.append(state))
    training.step(1.0, 1.0)
    with pytest.raises(
        FloatingPointError, match=r"^the loss is inf at iteration 2: lower the learning rate$"
    ):
        training.step(1.0, 1.0, loss=float("inf"))
    with pytest.raises(FloatingPointError, match=r"is nan at iteration 2 \(loss nan, loss_cls nan, .*2\)"):
        training.step(1.0, 1.0, loss=float("nan"), loss_cls=float("nan"), loss_box=2.0, acc=1.0)
    assert len(told) == 1


def test_a_resumed_run_draws_what_it_would_have_drawn():
    hook, checkpoint = RandomStateHook(), {}
    torch.manual_seed(3)
    hook.before_save_checkpoint(None, checkpoint)
    expected = torch.rand(2)
    resumed = RandomStateHook()
    resumed.after_load_checkpoint(None, checkpoint)
    torch.rand(5)  # as making the loader's iterator does
    resumed.before_train_iter(None, 4)
    assert torch.equal(torch.rand(2), expected)
    following = torch.get_rng_state()
    resumed.before_train_iter(None, 5)  # once alone
    assert torch.equal(torch.get_rng_state(), following)
