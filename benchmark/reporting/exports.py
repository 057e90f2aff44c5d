"""Results for others' collections: Every Eval Ever, one JSON file per model (schema 0.3.0)."""

from __future__ import annotations

import hashlib
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

from backbones.card import Card
from benchmark.records.schema import Metric, Record
from benchmark.reporting.names import metric_title, task_title
from benchmark.reporting.results import Results
from benchmark.suites.cell import seeds_label, task_label
from common.errors import UserError
from common.files import write_json
from common.machine import package_version
from common.names import slug

SCHEMA = "0.3.0"
"""Of https://github.com/evaleval/every_eval_ever, ``eval.schema.json``."""
LIBRARY = "catlip-transfer"
_BOUNDED = frozenset({"percent", "AP", "AR"})


def by_weights(results: Results) -> dict[str, Results]:
    """The finished cells of each model: of one backbone's name and one digest of weights.

    Returns:
        Name, with its pre-training seed where that is not the first, and with the digest of weights that came
        after others of the same name -> what was found of it. Checkpoints on the way of a pre-training are no
        models.

    Raises:
        UserError: no cell is finished.
    """
    found: dict[str, Results] = {}
    digests: dict[str, str | None] = {}
    for row in results.rows + results.shares:
        if row.status == "done":
            label = row.name + (f"-pretraining{row.pretraining_seed}" if row.pretraining_seed else "")
            weights = row.record.backbone.digest
            if digests.setdefault(label, weights) != weights:
                label = f"{label}-{str(weights)[:8]}"
            of = found.setdefault(label, replace(results, rows=[], shares=[], points=[], notes=[]))
            (of.rows if row in results.rows else of.shares).append(row)
    if not found:
        raise UserError(f"{results.folder} holds no finished record: there is nothing to export yet")
    return found


def of_digest(results: Results, digest: str) -> Results:
    """The finished cells of one model.

    Args:
        results: of any suite.
        digest: of the weights (`backbones.catalog.backbone_digest`).

    Raises:
        UserError: none is of these weights.
    """
    rows, shares = (
        [row for row in rows if row.status == "done" and row.record.backbone.digest == digest]
        for rows in (results.rows, results.shares)
    )
    if not rows:
        raise UserError(
            f"{results.folder} holds no finished record of these weights ({digest}): run a suite with them"
        )
    return replace(results, rows=rows, shares=shares, points=[], notes=[])


def write_every_eval_ever(
    results: Results, out: Path, organization: str, when: float | None = None
) -> list[Path]:
    """Write a file per model, in the layout of the datastore: ``<suite>/<developer>/<model>/<uuid>.json``.

    Args:
        results: of a suite.
        out: the folder, which need not exist.
        organization: who says so.
        when: seconds since 1970; default now.

    Raises:
        UserError: no cell is finished.
    """
    when = time.time() if when is None else when
    files = []
    for label, found in by_weights(results).items():
        content = every_eval_ever(label, found, organization, when)
        # theirs are random; the same export has the same name here
        name = uuid.UUID(bytes=hashlib.sha256(content["evaluation_id"].encode()).digest()[:16], version=4)
        developer, _, model = content["model_info"]["id"].partition("/")
        files.append(out / slug(results.suite) / developer / model / f"{name}.json")
        write_json(files[-1], content)
    return files


def every_eval_ever(label: str, found: Results, organization: str, when: float) -> dict[str, Any]:
    """One model's results by the schema: every metric of every cell, repetitions as results of their own.

    Args:
        label: what the model is called.
        found: its cells (`by_weights`).
        organization, when: as in `write_every_eval_ever`.
    """
    records = [row.record for row in found.rows + found.shares]
    card, first = Card.from_record(records[0].backbone.description), records[0]
    relation = {"run": "first_party", "random": "other"}.get(card.source, "third_party")
    own = relation != "third_party"
    model = f"{slug(organization if own else card.source or 'unknown')}/{slug(label)}"
    commit = first.environment.commit if first.environment else None
    torch = first.environment.packages.get("torch") if first.environment else None
    return {
        "schema_version": SCHEMA,
        "evaluation_id": f"{slug(found.suite)}/{model}/{when}",
        "evaluation_timestamp": max(record.finished for record in records),
        "retrieved_timestamp": str(when),
        "source_metadata": {
            "source_name": f"{LIBRARY}, suite {found.suite}",
            "source_type": "evaluation_run",
            "source_organization_name": organization,
            "evaluator_relationship": relation,
        },
        "eval_library": {
            "name": LIBRARY,
            "version": package_version(LIBRARY) or "unknown",
            "additional_details": _told(commit=commit),
        },
        "model_info": {
            "name": label,
            "id": model,
            "inference_engine": _told(name="torch", version=torch),
            "additional_details": _told(
                deployment_type="self_deployed",
                model_availability="unknown",  # whether the weights are published no record says
                weights_digest=first.backbone.digest,
                source=card.source,
                objective=card.objective,
                pretraining_samples=card.cost.samples if card.cost else None,
                pretraining_flops=card.cost.flops if card.cost else None,
            ),
        },
        "evaluation_results": [
            _result(record, name, metric) for record in records for name, metric in record.metrics.items()
        ],
    }


def _result(record: Record, name: str, metric: Metric) -> dict[str, Any]:
    low, high = _range(name, metric)
    seeds = seeds_label(record.seed, record.pretraining_seed)
    score: dict[str, Any] = {
        "score": metric.value,
        "details": _told(
            fingerprint=record.fingerprint,
            seed=record.seed,
            pretraining_seed=record.pretraining_seed,
            primary=name == record.primary,
            interval_is_for=metric.truth,
            estimated_bias=metric.bias,
        ),
    }
    uncertainty: dict[str, Any] = {}
    if metric.low is not None and metric.high is not None:
        uncertainty["confidence_interval"] = {
            "lower": metric.low,
            "upper": metric.high,
            "confidence_level": 0.95,
            "method": metric.method or "unknown",
        }
    if metric.n is not None:
        uncertainty["num_samples"] = metric.n
    if uncertainty:
        score["uncertainty"] = uncertainty
    return {
        "evaluation_result_id": f"{task_label(record.task.name, record.task.axes)}/{seeds}/{name}",
        "evaluation_name": task_title(record),
        "source_data": {
            "dataset_name": record.data.name,
            "source_type": "other",
            "additional_details": _told(content_digest=record.data.digest),
        },
        "evaluation_timestamp": record.finished,
        "metric_config": {
            "evaluation_description": f"{metric_title(name)} of {task_title(record)}",
            "metric_id": name,
            "metric_name": metric_title(name),
            "metric_unit": metric.unit,
            "lower_is_better": not metric.higher_is_better,
            "score_type": "continuous",
            "min_score": low,
            "max_score": high,
        },
        "score_details": score,
        "generation_config": {
            "generation_args": {"execution_command": record.command},
            "additional_details": _told(
                kind_of_task=record.task.type,
                protocol=record.task.protocol,
                config=Path(record.task.config).name,
                config_digest=record.task.config_digest,
                **{f"axis_{axis}": value for axis, value in record.task.axes.items()},
                **{f"chosen_{key}": value for key, value in record.chosen.items()},
            ),
        },
    }


def _range(name: str, metric: Metric) -> tuple[float | str, float | str]:
    """Least and most that a metric can be, as the schema writes what has no bound."""
    if name.startswith("drop_on_"):
        return -100.0, 100.0
    if metric.unit in _BOUNDED and not name.startswith("mce_on_"):
        return 0.0, 100.0
    return 0.0, "Infinity"


def _told(**values: Any) -> dict[str, str]:
    """What is known, as text: the schema has no other values there."""
    return {key: str(value) for key, value in values.items() if value is not None}
