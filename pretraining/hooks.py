"""What the Runner does around each step: resuming, counting the cost, telling how it goes."""

from __future__ import annotations

import csv
import math
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook

from common.errors import UserError
from common.files import replacing
from pretraining.objectives import ImageTextBatch


class TrainingFailed(RuntimeError):
    """Training cannot go on; the message says at which step and why."""


class MeanLoss(BaseMetric):
    """Mean of the objective's losses over validation batches."""

    default_prefix = "val"

    def process(self, data_batch: Any, data_samples: list[dict[str, float]]) -> None:
        self.results.extend(data_samples)

    def compute_metrics(self, results: list[dict[str, float]]) -> dict[str, float]:
        return {name: sum(r[name] for r in results) / len(results) for name in results[0]}


class ResumeHook(Hook):
    """Makes a resumed run the run it would have been: stream position and random state.

    Works with ``fast_forward_on_resume=True``, which keeps MMEngine from decoding the past of the stream.
    """

    priority = "VERY_HIGH"

    def __init__(self) -> None:
        self._rng_state: torch.Tensor | None = None

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        checkpoint["torch_rng_state"] = torch.get_rng_state()

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        self._rng_state = checkpoint.get("torch_rng_state")

    def before_train(self, runner: Any) -> None:
        runner.train_dataloader.dataset.start = runner.iter

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        # not earlier: making the loader's iterator draws from the generator, too
        if self._rng_state is not None:
            torch.set_rng_state(self._rng_state.cpu())
            self._rng_state = None


class CostHook(Hook):
    """Counts what training costs; the counts travel in checkpoints, so a resumed run tells the whole cost.

    Time is of training including waiting for data and saving, without validation.

    Attributes:
        seconds: on the wall.
        cpu_seconds: of all cores, in this process and in its loaders.
        data_seconds: of `seconds`, waiting for the next batch (`WaitHook`).
        skipped: samples that could not be read, by what was wrong.
    """

    priority = "HIGH"

    def __init__(self) -> None:
        self.seconds = self.cpu_seconds = self.data_seconds = 0.0
        self.steps = 0
        self.skipped: Counter[str] = Counter()

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        for name, value in checkpoint.get("cost", {}).items():
            setattr(self, name, Counter(value) if name == "skipped" else value)

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        names = ("seconds", "cpu_seconds", "data_seconds", "steps")
        checkpoint["cost"] = {name: getattr(self, name) for name in names} | {"skipped": dict(self.skipped)}

    def before_train(self, runner: Any) -> None:
        self.start_clocks()

    def start_clocks(self) -> None:
        """Count from now on."""
        self._clock = self.waiting_since = time.perf_counter()
        self._cpu_clock = time.process_time()

    def before_train_iter(
        self, runner: Any, batch_idx: int, data_batch: ImageTextBatch | None = None
    ) -> None:
        self.data_seconds += time.perf_counter() - self.waiting_since

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: ImageTextBatch | None = None, outputs: Any = None
    ) -> None:
        now, cpu = time.perf_counter(), time.process_time()
        self.seconds += now - self._clock
        self.cpu_seconds += cpu - self._cpu_clock + (data_batch.loader_cpu_seconds if data_batch else 0.0)
        self._clock, self._cpu_clock = now, cpu
        self.steps += 1
        if data_batch is not None and data_batch.skipped:
            self.skipped.update(data_batch.skipped)
            _refuse_rotten_data(self.skipped, (runner.iter + 1) * len(data_batch.captions))

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
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
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self.cost.waiting_since = time.perf_counter()


def _refuse_rotten_data(skipped: Counter[str], samples: int) -> None:
    total = skipped.total()
    if samples >= 1000 and total > 0.1 * samples:
        name, _ = skipped.most_common(1)[0]
        raise UserError(
            f"{total} of {samples} samples could not be read (for instance {name}): "
            "download the shards again or remove the broken ones"
        )


def forget_peak_memory(device: torch.device) -> None:
    """Begin to watch the GPU's memory anew; a process's resident peak cannot be forgotten."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory_bytes(device: torch.device) -> int:
    """Most memory held so far: allocated on the GPU, or resident in this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class HistoryHook(Hook):
    """Writes ``history.csv`` (some sixty rows or more, and one per validation) and tells the progress.

    Columns: step, samples, seconds, lr, loss, val_loss, and the objective's further scalars.

    Args:
        path: the csv.
        batch_size: samples per step over all processes.
        iterations: steps of the whole run.
        cost: the hook that holds the clock.
        tell: called about once a second with where the run is.
    """

    priority = "NORMAL"

    def __init__(
        self,
        path: Path,
        batch_size: int,
        iterations: int,
        cost: CostHook,
        tell: Callable[[dict[str, Any]], None],
    ) -> None:
        self.path = path
        self.batch_size = batch_size
        self.iterations = iterations
        self.cost = cost
        self.tell = tell
        self.interval = max(1, min(iterations // 60, 100))
        self.rows: list[dict[str, float]] = []
        self._told = 0.0
        self._pace: list[tuple[float, int]] = []

    def before_train(self, runner: Any) -> None:
        if runner.iter and self.path.is_file():
            with self.path.open(newline="", encoding="utf-8") as file:
                rows = [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
            whole = ("step", "samples")
            rows = [row | {name: int(row[name]) for name in whole} for row in rows]
            self.rows = [row for row in rows if row["step"] <= runner.iter]

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        step = batch_idx + 1
        scalars = {name: float(value.detach()) for name, value in (outputs or {}).items()}
        if not math.isfinite(scalars["loss"]):
            raise TrainingFailed(f"the loss is {scalars['loss']} at step {step}: lower the learning rate")
        row = {
            "step": step,
            "samples": step * self.batch_size,
            "seconds": round(self.cost.seconds, 3),
            "lr": runner.optim_wrapper.get_lr()["lr"][0],
            **scalars,
        }
        if step % self.interval == 0 or step == self.iterations:
            self.rows.append(row)
        now = time.monotonic()
        self._pace = [*self._pace[-50:], (self.cost.seconds, step)]
        if now - self._told > 1 or step == self.iterations:
            self._told = now
            (then, first), (latest, last) = self._pace[0], self._pace[-1]
            per_step = (latest - then) / max(last - first, 1) or latest
            self.tell(
                {
                    "done": step,
                    "total": self.iterations,
                    "loss": row["loss"],
                    "images_per_second": self.batch_size / per_step,
                    "seconds_left": per_step * (self.iterations - step),
                    "waiting_for_data": self.cost.data_seconds / max(self.cost.seconds, 1e-9),
                }
            )

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        values = {name.replace("val/", "val_"): value for name, value in (metrics or {}).items()}
        if self.rows and self.rows[-1]["step"] == runner.iter:
            self.rows[-1].update(values)
        else:
            self.rows.append({"step": runner.iter, "samples": runner.iter * self.batch_size, **values})
        self.write()

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        self.write()

    def after_train(self, runner: Any) -> None:
        self.write()

    @property
    def validation(self) -> dict[str, float]:
        """What the last validation found; empty without one."""
        found = ({k: v for k, v in row.items() if k.startswith("val_")} for row in reversed(self.rows))
        return next(filter(None, found), {})

    def write(self) -> None:
        """Write the rows collected so far, all columns that any row has."""
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        with replacing(self.path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self.rows)
