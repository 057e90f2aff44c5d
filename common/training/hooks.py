"""What every training does around its steps: count the cost, tell how it goes, stop when it goes wrong."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from common.progress import Report
from common.training import group


class MeanOutputsHook(Hook):
    """Makes the losses of a step those of the whole batch, before anybody logs them or judges them."""

    priority = "HIGHEST"

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        tensors = {name: value for name, value in (outputs or {}).items() if isinstance(value, torch.Tensor)}
        if tensors:
            outputs.update(group.mean(tensors))


class RandomStateHook(Hook):
    """Keeps the state of PyTorch's generator in checkpoints: a resumed run draws what it would have drawn.

    It is the first process's. Of those that train together, each of the others begins a sequence of its own
    when the training is resumed.
    """

    priority = "VERY_HIGH"

    def __init__(self) -> None:
        self._state: torch.Tensor | None = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        checkpoint["torch_rng_state"] = torch.get_rng_state()

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        self._state = checkpoint.get("torch_rng_state")

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        # not earlier: making the loader's iterator draws from the generator, too
        if self._state is not None:
            torch.set_rng_state(self._state.cpu())
            if not group.is_first():
                torch.manual_seed(torch.initial_seed() + runner.iter * runner.world_size + group.rank())
            self._state = None


class CostHook(Hook):
    """Counts what training costs; the counts travel in checkpoints, so a resumed run tells the whole cost.

    Time is of training including waiting for data and saving, without validation and what is `uncounted`.

    Attributes:
        seconds: on the wall.
        cpu_seconds: of all cores, in all processes that train together.
        data_seconds: of `seconds`, waiting for the next batch (`WaitHook`) in this process.
    """

    priority = "HIGH"

    def __init__(self) -> None:
        self.seconds = self.cpu_seconds = self.data_seconds = 0.0

    def counts(self) -> dict[str, Any]:
        """What goes into checkpoints: attributes by name."""
        names = ("seconds", "cpu_seconds", "data_seconds")
        return {name: getattr(self, name) for name in names}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        counted = checkpoint.get("cost", {})
        for name, value in self.counts().items():
            setattr(self, name, counted.get(name, value))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        checkpoint["cost"] = self.counts()

    def before_train(self, runner: Runner) -> None:
        self.start_clocks()

    def start_clocks(self) -> None:
        """Count from now on."""
        self._clock = self.waiting_since = time.perf_counter()
        self._cpu_clock = time.process_time()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        self.data_seconds += time.perf_counter() - self.waiting_since

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self._count(self.elsewhere(data_batch))

    def _count(self, elsewhere: float = 0.0) -> None:
        now, cpu = time.perf_counter(), time.process_time()
        self.seconds += now - self._clock
        self.cpu_seconds += group.total(cpu - self._cpu_clock + elsewhere)
        self._clock, self._cpu_clock = now, cpu

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        """Count up to here, and on from the end of the block, in all processes that train together."""
        self._count()
        yield
        self.start_clocks()

    def elsewhere(self, data_batch: Any) -> float:
        """CPU seconds that a batch has cost in processes of its own."""
        return 0.0

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        self.start_clocks()


class WaitHook(Hook):
    """Notes when a step is over, averaging, logging and saving included: then the loader is waited for.

    Args:
        cost: the hook that counts the waiting.
    """

    priority = "LOWEST"

    def __init__(self, cost: CostHook) -> None:
        self.cost = cost

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self.cost.waiting_since = time.perf_counter()


class ProgressHook(Hook):
    """Tells how far the training is, and ends it as soon as a loss is not finite.

    Args:
        report: told of every step, by the first of the processes that train together.
        cost: the hook that holds the clock.
        batch_size: images per step over all processes.

    Raises:
        FloatingPointError: the loss is not finite; the message says at which iteration. Nothing of that
            iteration has been averaged or saved.
    """

    priority = "ABOVE_NORMAL"  # after the clock, before averages and checkpoints

    def __init__(self, report: Report, cost: CostHook, batch_size: int) -> None:
        self.report = report
        self.cost = cost
        self.batch_size = batch_size
        self._lately: deque[tuple[int, float, float]] = deque(maxlen=50)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        iteration, loss = runner.iter + 1, outputs["loss"].item()
        if not math.isfinite(loss):
            parts = [f"{name} {value.item():g}" for name, value in outputs.items() if "loss" in name]
            told = f" ({', '.join(parts)})" if len(parts) > 1 else ""
            raise FloatingPointError(
                f"the loss is {loss} at iteration {iteration}{told}: lower the learning rate"
            )
        self._lately.append((iteration, self.cost.seconds, self.cost.data_seconds))
        if group.is_first():
            self.report("training", iteration, runner.max_iters, loss, **self._pace(runner.max_iters))

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        if group.is_first():
            self.report("validation", batch_idx + 1, len(runner.val_dataloader))

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        if group.is_first():
            self.report("test", batch_idx + 1, len(runner.test_dataloader))

    def _pace(self, iterations: int) -> dict[str, float]:
        """Of the last fifty steps. The first is left out: before it the loader's processes had to start."""
        (first, begin, waited), (last, end, waited_now) = self._lately[0], self._lately[-1]
        seconds = end - begin
        if last == first or seconds <= 0:
            return {}
        return {
            "images_per_second": self.batch_size * (last - first) / seconds,
            "seconds_left": seconds / (last - first) * (iterations - last),
            "waiting_for_data": (waited_now - waited) / seconds,
        }
