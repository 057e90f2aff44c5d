"""What the trials of `--suite tuning_pretraining` found, as one csv.

    python tests/calibration/trials.py [--results results] [--out FILE.csv]

One row per trial: the objective, what was set, what came of it, and the command that trains it again. The
criterion is top-1 of the linear probe and, of those trained in full, box AP beside it, in points; ``chosen``
marks the best of these of each objective.
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

import pandas as pd

from benchmark.records.store import read_record
from benchmark.suites.cell import Cell
from benchmark.suites.suite import Suite, load_suite
from common.configs import override_words
from common.files import read_json

SUITE = "tuning_pretraining"
CSV = Path("task_configs/suites/tuning_pretraining.csv")
CRITERION = {"demo_linear_probe": "top1", "demo_mask_rcnn": "bbox_mAP"}


def trials(suite: Suite) -> pd.DataFrame:
    """Finished trials of each objective, those trained in full first, best first."""
    cells: dict[str, list[Cell]] = {}
    for cell in suite.cells():
        cells.setdefault(cell.name, []).append(cell)
    rows = []
    for entry in suite.pretraining:
        card = read_json(entry.out / "backbone.json")
        records = [read_record(cell.folder) for cell in cells[entry.name]]
        if card is None or not all(record and record.status == "done" for record in records):
            continue
        metrics = [CRITERION[record.task.name] for record in records]
        found = {
            metric: record.metrics[metric].value for metric, record in zip(metrics, records, strict=True)
        }
        words = ["python", "run_suite.py", "pretrain", f"task_configs/pretraining/{entry.config.name}"]
        settings = {key.rpartition(".")[2]: value for key, value in entry.overrides.items()}
        initial = settings.pop("init_temperature", settings.pop("initial_bias", None))
        rows.append(
            {
                "trial": entry.name,
                "in_full": entry.name.endswith("-whole"),
                "objective": card["objective"],
                **{key: settings[key] for key in ("lr", "weight_decay")},
                "beta2": settings["betas"][1],
                "warmup_samples": settings["warmup_samples"],
                "smallest_crop": settings["scale"][0],
                "batch_size": settings["batch_size"],
                "initial": initial,
                "samples": card["cost"]["samples"],
                "val_loss": round(card["validation"]["val_loss"], 4),
                **{
                    metric: round(found[metric], 2) if metric in found else None
                    for metric in CRITERION.values()
                },
                "criterion": round(sum(found.values()), 2),
                "command": shlex.join([*words, *override_words(entry.overrides)]),
            }
        )
    table = pd.DataFrame(rows).sort_values(
        ["objective", "in_full", "criterion"], ascending=[True, False, False]
    )
    table.insert(len(table.columns) - 1, "chosen", ~table["objective"].duplicated())
    return table


def main() -> None:
    """Write the csv and print it without commands."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--out", type=Path, default=CSV)
    options = parser.parse_args()
    table = trials(load_suite(SUITE, options.results))
    table.to_csv(options.out, index=False)
    print(table.drop(columns="command").to_string(index=False))


if __name__ == "__main__":
    main()
