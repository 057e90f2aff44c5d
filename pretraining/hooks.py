"""What pre-training does around each step beside what every training does."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.runner import Runner

from common.errors import UserError
from common.files import replacing
from common.training import group
from common.training.hooks import CostHook
from pretraining.objectives.base import ImageTextBatch


class MeanLoss(BaseMetric):
    """Mean of the objective's losses over validation batches."""

    default_prefix = "val"

    def process(self, data_batch: Any, data_samples: list[dict[str, float]]) -> None:
        self.results.extend(data_samples)

    def compute_metrics(self, results: list[dict[str, float]]) -> dict[str, float]:
        return {name: sum(r[name] for r in results) / len(results) for name in results[0]}


class StreamPositionHook(Hook):
    """Takes the stream of a resumed run up where it was.

    Works with ``fast_forward_on_resume=True``, which keeps MMEngine from decoding the past of the stream.
    """

    priority = "VERY_HIGH"

    def before_train(self, runner: Runner) -> None:
        runner.train_dataloader.dataset.start = runner.iter


class PairsCostHook(CostHook):
    """Counts the cost of the loaders' processes, too, and what could not be read.

    Attributes:
        cpu_seconds: of all cores, in all processes and their loaders.
        skipped: samples that could not be read, by what was wrong.

    Raises:
        UserError: more than a tenth of the samples cannot be read.
    """

    def __init__(self) -> None:
        super().__init__()
        self.skipped: Counter[str] = Counter()

    def counts(self) -> dict[str, Any]:
        return super().counts() | {"skipped": dict(self.skipped)}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        super().after_load_checkpoint(runner, checkpoint)
        self.skipped = Counter(self.skipped)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: ImageTextBatch | None = None, outputs: Any = None
    ) -> None:
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        if data_batch is None or not group.total(len(data_batch.skipped)):
            return
        everywhere = group.gather(data_batch.skipped)
        for skipped in everywhere:
            self.skipped.update(skipped)
        _refuse_rotten_data(self.skipped, (runner.iter + 1) * len(data_batch.captions) * len(everywhere))

    def elsewhere(self, data_batch: ImageTextBatch | None) -> float:
        return data_batch.loader_cpu_seconds if data_batch is not None else 0.0


def _refuse_rotten_data(skipped: Counter[str], samples: int) -> None:
    total = skipped.total()
    if samples >= 1000 and total > 0.1 * samples:
        name, _ = skipped.most_common(1)[0]
        raise UserError(
            f"{total} of {samples} samples could not be read (for instance {name}): "
            "download the shards again or remove the broken ones"
        )


class HistoryHook(Hook):
    """Writes ``history.csv``: some sixty rows or more, and one per validation.

    Columns: step, samples, seconds, lr, loss, val_loss, and the objective's further scalars.

    Args:
        path: the csv.
        batch_size: samples per step over all processes.
        cost: the hook that holds the clock.
    """

    priority = "NORMAL"

    def __init__(self, path: Path, batch_size: int, cost: CostHook) -> None:
        self.path = path
        self.batch_size = batch_size
        self.cost = cost
        self.rows: list[dict[str, float]] = []

    def before_train(self, runner: Runner) -> None:
        if runner.iter and self.path.is_file():
            with self.path.open(newline="", encoding="utf-8") as file:
                rows = [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
            whole = ("step", "samples")
            rows = [row | {name: int(row[name]) for name in whole} for row in rows]
            self.rows = [row for row in rows if row["step"] <= runner.iter]

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        step = runner.iter + 1
        interval = max(1, min(runner.max_iters // 60, 100))
        if step % interval == 0 or step == runner.max_iters:
            self.rows.append(
                {
                    "step": step,
                    "samples": step * self.batch_size,
                    "seconds": round(self.cost.seconds, 3),
                    "lr": runner.optim_wrapper.get_lr()["lr"][0],
                    **{name: float(value.detach()) for name, value in (outputs or {}).items()},
                }
            )

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        values = {name.replace("val/", "val_"): value for name, value in (metrics or {}).items()}
        if self.rows and self.rows[-1]["step"] == runner.iter:
            self.rows[-1].update(values)
        else:
            self.rows.append({"step": runner.iter, "samples": runner.iter * self.batch_size, **values})
        self.write()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        self.write()

    def after_train(self, runner: Runner) -> None:
        self.write()

    @property
    def validation(self) -> dict[str, float]:
        """What the last validation found; empty without one."""
        found = ({k: v for k, v in row.items() if k.startswith("val_")} for row in reversed(self.rows))
        return next(filter(None, found), {})

    def write(self) -> None:
        """Write the rows collected so far, all columns that any row has; one process does."""
        if not group.is_first():
            return
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        with replacing(self.path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self.rows)
