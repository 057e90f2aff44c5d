"""``export``, and ``convert --to hf`` with the results of the weights."""

from __future__ import annotations

import json

import pytest
import yaml
from record_data import record

from backbones.catalog import backbone_digest
from benchmark.cli import main
from benchmark.records.schema import BackboneInfo
from benchmark.records.store import write_record

NAME = "random:vit_tiny_patch16"


@pytest.fixture
def suite(tmp_path):
    """Results of a model that is there."""
    info = BackboneInfo(
        name="nano", spec=NAME, digest=backbone_digest(NAME), description={"source": "random"}
    )
    entry = record("nano", 12.3).model_copy(update={"backbone": info})
    write_record(tmp_path / "results" / "toy" / "nano" / "probe" / "seed0", entry)
    return tmp_path / "results" / "toy"


def test_a_suite_is_exported_for_every_eval_ever(suite, tmp_path, capsys):
    words = ["export", str(tmp_path / "out"), "--suite", "toy", "--results", str(suite.parent)]
    assert main([*words, "--to", "every-eval-ever", "--organization", "Lab"]) == 0
    (path,) = (tmp_path / "out").rglob("*.json")
    assert str(path) in capsys.readouterr().out
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["source_metadata"]["source_organization_name"] == "Lab"
    assert content["evaluation_results"][0]["score_details"]["score"] == 12.3
    assert main(words) == 2 and "is in use: name a new folder" in capsys.readouterr().err


def test_a_suite_is_exported_as_model_cards(suite, tmp_path, capsys):
    words = ["export", str(tmp_path / "out"), "--suite", "toy", "--results", str(suite.parent), "--to", "hf"]
    assert main([*words, "--dataset", "toy=owner/toy:default"]) == 0
    assert "12.3" in (tmp_path / "out" / "nano" / "README.md").read_text(encoding="utf-8")
    (entry,) = yaml.safe_load((tmp_path / "out" / "nano" / ".eval_results" / "probe.yaml").read_text())
    assert entry["value"] == 12.3


def test_converted_weights_have_a_card_with_their_results(suite, tmp_path, capsys):
    words = ["convert", NAME, str(tmp_path / "hf"), "--to", "hf", "--evals", str(suite)]
    assert main(words) == 0
    text = (tmp_path / "hf" / "README.md").read_text(encoding="utf-8")
    assert yaml.safe_load(text.split("---\n")[1])["library_name"] == "transformers"
    assert r"12.3 \[10.3, 14.3\]" in text and (tmp_path / "hf" / "model.safetensors").is_file()
    assert "no .eval_results for toy" in " ".join(capsys.readouterr().err.split())


def test_a_folder_of_the_suites_own_format_has_a_card_without_a_library(suite, tmp_path):
    assert main(["convert", NAME, str(tmp_path / "own"), "--evals", str(suite)]) == 0
    text = (tmp_path / "own" / "README.md").read_text(encoding="utf-8")
    assert "library_name" not in text and "Linear probe, top-1 %" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export", "{out}", "--suite", "toy", "--to", "csv"], "the formats are every-eval-ever, hf"),
        (["export", "{out}", "--suite", "nothing"], "unknown suite"),
        (["export", "{out}", "--suite", "toy", "--to", "hf", "--dataset", "toy"], "NAME=OWNER/DATASET:TASK"),
        (["convert", NAME, "{out}", "--dataset", "a=b/c:d"], "name their folder with --evals"),
        (["convert", NAME, "{out}", "--to", "hf", "--evals", "{out}"], "holds no records"),
        (
            ["convert", "random:vit_mini_conv16", "{out}", "--to", "hf", "--evals", "{suite}"],
            "no finished record of these weights",
        ),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(suite, tmp_path, arguments, message, capsys):
    words = [word.format(out=tmp_path / "out", suite=suite) for word in arguments]
    words += ["--results", str(suite.parent)] if words[0] == "export" else []
    assert main(words) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not (tmp_path / "out").exists()
