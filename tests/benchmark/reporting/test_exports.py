"""Results for others' collections, against what their formats ask for."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from record_data import COST, record

from backbones.card import Card
from benchmark.records.schema import BackboneInfo, DataInfo, Environment, Metric
from benchmark.records.store import write_record
from benchmark.reporting import exports, model_card
from benchmark.reporting.results import of_folder
from common.errors import UserError

TEXTS = dict[str, str]
MODEL = {"name": str, "id": str, "inference_engine?": TEXTS, "additional_details": TEXTS}
SOURCE = {
    "source_type": ("evaluation_run", "documentation"),
    "source_organization_name": str,
    "evaluator_relationship": ("first_party", "third_party", "collaborative", "other"),
    "source_name?": str,
}
METRIC = {
    "lower_is_better": bool,
    "score_type": ("continuous",),
    "min_score": (float, "-Infinity"),
    "max_score": (float, "Infinity"),
    "evaluation_description?": str,
    "metric_id?": str,
    "metric_name?": str,
    "metric_unit?": str,
}
INTERVAL = {"lower": float, "upper": float, "confidence_level?": float, "method?": str}
SCORE = {
    "score": float,
    "details?": TEXTS,
    "uncertainty?": {"confidence_interval?": INTERVAL, "num_samples?": int},
}
RESULT = {
    "evaluation_name": str,
    "source_data": {"dataset_name": str, "source_type": ("other",), "additional_details?": TEXTS},
    "metric_config": METRIC,
    "score_details": SCORE,
    "evaluation_result_id?": str,
    "evaluation_timestamp?": str,
    "generation_config?": {"generation_args?": {"execution_command?": str}, "additional_details?": TEXTS},
}
EVALUATION = {
    "schema_version": str,
    "evaluation_id": str,
    "retrieved_timestamp": str,
    "source_metadata": SOURCE,
    "eval_library": {"name": str, "version": str, "additional_details?": TEXTS},
    "model_info": MODEL,
    "evaluation_results": [RESULT],
    "evaluation_timestamp?": str,
}
"""What version 0.3.0 asks for of what is written here; a question mark where it does not insist."""


def check(value: Any, form: Any, place: str = "") -> None:
    """Hold a value against a form, in which nothing else may be."""
    if isinstance(form, dict):
        names = {name.rstrip("?") for name in form}
        assert value.keys() <= names, (place, value.keys() - names)
        for name, inner in form.items():
            if not name.endswith("?") or name[:-1] in value:
                check(value[name.rstrip("?")], inner, f"{place}.{name}")
    elif isinstance(form, list):
        for entry in value:
            check(entry, form[0], place)
    elif isinstance(form, tuple):
        assert value in form or (float in form and type(value) in (float, int)), (place, value)
    elif form == TEXTS:
        assert all(type(item) is str for pair in value.items() for item in pair), (place, value)
    else:
        assert type(value) in ((float, int) if form is float else (form,)), (place, value)


def made(name="catlip", value=66.0, digest="w", source="run", **changes):
    described = {"source": source, "objective": "catlip", "cost": COST}
    info = BackboneInfo(name=name, spec=f"{source}:/home/me/{name}", digest=digest, description=described)
    around = Environment(
        python="3.11", packages={"torch": "2.9.0"}, platform="Linux", cpu="A", commit="c0ffee"
    )
    return record(name, value, **{"environment": around, **changes}).model_copy(update={"backbone": info})


@pytest.fixture
def results_of(tmp_path):
    def make(*records):
        for number, entry in enumerate(records):
            write_record(tmp_path / "toy" / str(number) / entry.task.name / f"seed{entry.seed}", entry)
        return of_folder(tmp_path / "toy")

    return make


def test_every_metric_of_every_run_is_there_with_its_interval_and_command(results_of, tmp_path):
    results = results_of(made(value=60.0), made(value=62.0, seed=1), made("clip", 50.0, "v"))
    files = exports.write_every_eval_ever(results, tmp_path / "out", "Some Lab", when=1.5e9)
    assert len(files) == 2
    content = {path.parts[-2]: json.loads(path.read_text(encoding="utf-8")) for path in files}
    for entry in content.values():
        check(entry, EVALUATION)
        told = entry["model_info"]["additional_details"]
        assert told["deployment_type"] in ("self_deployed", "externally_managed", "unknown")
        assert told["model_availability"] in ("open_weights", "closed_weights", "unknown")
    found = content["catlip"]
    assert found["schema_version"] == "0.3.0" and found["retrieved_timestamp"] == "1500000000.0"
    assert found["evaluation_id"] == f"toy/{found['model_info']['id']}/1500000000.0"
    assert len(found["evaluation_results"]) == 4
    assert len({result["evaluation_result_id"] for result in found["evaluation_results"]}) == 4
    scores = {
        (result["metric_config"]["metric_id"], result["score_details"]["details"]["seed"]): result
        for result in found["evaluation_results"]
    }
    result = scores["top1", "1"]
    assert result["score_details"]["score"] == 62.0
    assert result["score_details"]["uncertainty"] == {
        "confidence_interval": {
            "lower": 60.0, "upper": 64.0, "confidence_level": 0.95, "method": "wilson over classes",
        },
        "num_samples": 80,
    }  # fmt: skip
    assert result["generation_config"]["generation_args"]["execution_command"].startswith(
        "python run_suite.py"
    )
    assert "/home/me" not in json.dumps(content["catlip"]["model_info"])
    for path in files:
        relative = path.relative_to(tmp_path / "out")
        assert len(relative.parts) == 4 and re.fullmatch(
            r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", path.stem
        )
    again = exports.write_every_eval_ever(results, tmp_path / "again", "Some Lab", when=1.5e9)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in files]


def test_ranges_are_those_of_the_metrics_and_unbounded_where_these_are(results_of, tmp_path):
    metrics = {
        "top1": Metric(value=50.0),
        "drop_on_sketch": Metric(value=-3.0, higher_is_better=False),
        "mce_on_c": Metric(value=120.0, higher_is_better=False),
        "nll": Metric(value=1.2, unit="nats", higher_is_better=False),
    }
    (path,) = exports.write_every_eval_ever(results_of(made(metrics=metrics)), tmp_path / "out", "x")
    results = json.loads(path.read_text(encoding="utf-8"))["evaluation_results"]
    found = {result["metric_config"]["metric_id"]: result["metric_config"] for result in results}
    assert {name: (m["min_score"], m["max_score"], m["lower_is_better"]) for name, m in found.items()} == {
        "top1": (0.0, 100.0, False),
        "drop_on_sketch": (-100.0, 100.0, True),
        "mce_on_c": (0.0, "Infinity", True),
        "nll": (0.0, "Infinity", True),
    }
    assert not any("uncertainty" in result["score_details"] for result in results)


def test_models_are_told_apart_by_their_weights(results_of):
    results = results_of(
        made(digest="a"),
        made(digest="b", pretraining_seed=1, seed=1),
        made(digest="retrained", seed=2),
        made(digest="early", pretraining_samples=64),
    )
    found = exports.by_weights(results)
    assert list(found) == ["catlip", "catlip-pretraining1", "catlip-retraine"]
    assert exports.of_digest(results, "b").rows[0].seed == 1
    with pytest.raises(UserError, match=r"no finished record of these weights \(zzz\): run a suite"):
        exports.of_digest(results, "zzz")


def test_who_made_the_weights_is_told(results_of, tmp_path):
    results = results_of(made(source="run"), made("r", source="random"), made("o", source="openclip"))
    found = {}
    for path in exports.write_every_eval_ever(results, tmp_path / "out", "../Lab"):
        assert (tmp_path / "out").resolve() in path.resolve().parents
        entry = json.loads(path.read_text(encoding="utf-8"))
        found[entry["model_info"]["name"]] = entry["source_metadata"]["evaluator_relationship"]
    assert found == {"catlip": "first_party", "r": "other", "o": "third_party"}


def test_nothing_finished_is_nothing_to_export(results_of):
    nothing = {"metrics": {}, "primary": None, "chosen": {}, "notes": [], "cost": None}
    results = results_of(made(status="failed", error="e", error_type="E", **nothing))
    with pytest.raises(UserError, match="nothing to export yet"):
        exports.by_weights(results)


HOSTILE = "a|b`c*_<script>[x](y)\n---\n'\"\x07\u2028: {x}"


def card_of(results):
    return Card.from_record({**results.rows[0].record.backbone.description, "recipe": {"samples": 8}})


def test_a_model_card_has_its_figures_and_no_licence_of_our_invention(results_of, tmp_path):
    results = results_of(made(value=60.0), made(value=62.0, seed=1))
    files, notes = model_card.write(tmp_path / "m", "catlip", card_of(results), results, {}, "transformers")
    assert [path.name for path in files] == ["README.md"]
    assert notes == ["no .eval_results for toy: not said to be on the hub (--dataset)"]
    text = files[0].read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    assert yaml.safe_load(front) == {
        "library_name": "transformers",
        "pipeline_tag": "image-feature-extraction",
        "tags": ["vision", "vit", "catlip"],
    }
    assert r"| Linear probe, top-1 % | 61.0 ± 1.4 \[59.0, 63.0\] | 2 | toy | 1 |" in body
    assert "    python run_suite.py run probe.py --backbone run:catlip" in body
    assert "| image–text pairs seen | 64,000 |" in body and '      "samples": 8' in body
    bare, _ = model_card.write(tmp_path / "n", "x", Card(), results, {})
    assert "How it was pre-trained is not recorded." in bare[0].read_text(encoding="utf-8")
    assert "library_name" not in bare[0].read_text(encoding="utf-8")


def test_entries_are_of_the_hubs_form_for_data_that_are_there(results_of, tmp_path):
    other = record().task.model_copy(update={"name": "other"})
    pets = DataInfo(name="pets", path="p", digest="p")
    results = results_of(made(value=60.0), made(task=other, data=pets, value=61.234567))
    hub = model_card.parse_hub_data(["pets=owner/pets-37:default"])
    files, notes = model_card.write(tmp_path / "m", "catlip", card_of(results), results, hub)
    assert [path.relative_to(tmp_path / "m").as_posix() for path in files] == [
        "README.md",
        ".eval_results/other.yaml",
    ]
    assert len(notes) == 1 and "for toy:" in notes[0]
    (entry,) = yaml.safe_load(files[1].read_text(encoding="utf-8"))
    assert entry["dataset"] == {"id": "owner/pets-37", "task_id": "default"}
    assert entry["value"] == 61.234567 and entry["date"] == "2026-01-01"
    assert "top-1 %" in entry["notes"] and "wilson over classes" in entry["notes"]
    hub_library = pytest.importorskip("huggingface_hub")
    if hasattr(hub_library, "EvalResultEntry"):  # the hub's own reader says the same
        theirs = hub_library.EvalResultEntry(
            dataset_id="owner/pets-37",
            task_id="default",
            value=61.234567,
            date="2026-01-01",
            notes=entry["notes"],
        )
        assert hub_library.eval_result_entries_to_yaml([theirs]) == [entry]


@pytest.mark.parametrize(
    "word", ["pets", "pets=owner:x", "pets=owner/data", "=a/b:c", "pets=a/b/c:d", "pets=/b:c"]
)
def test_a_place_on_the_hub_has_a_form(word):
    with pytest.raises(UserError, match="write NAME=OWNER/DATASET:TASK"):
        model_card.parse_hub_data([word])


def test_hostile_names_break_neither_yaml_nor_markdown(results_of, tmp_path):
    results = results_of(made(HOSTILE, command=HOSTILE, data=DataInfo(name=HOSTILE, path="p", digest="d")))
    hub = {HOSTILE: model_card.HubData(HOSTILE, HOSTILE)}
    card = Card(objective=HOSTILE, command=HOSTILE)
    files, _ = model_card.write(tmp_path / "m", HOSTILE, card, results, hub)
    text = files[0].read_text(encoding="utf-8")
    _, front, _ = text.split("---\n", 2)
    assert yaml.safe_load(front)["tags"][-1] == HOSTILE
    outside = [line for line in text.splitlines() if not line.startswith("    ")]
    assert "<script>" not in "\n".join(outside[8:]) and "---" not in outside[7:]
    assert yaml.safe_load(files[1].read_text(encoding="utf-8"))[0]["dataset"]["id"] == HOSTILE
    assert all((tmp_path / "m") in path.parents for path in files)
    written = exports.write_every_eval_ever(results, tmp_path / "out", HOSTILE)
    check(json.loads(written[0].read_text(encoding="utf-8")), EVALUATION)
