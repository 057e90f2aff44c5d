"""README and docs: every figure is in a results file beside them, every command is one that there is."""

from __future__ import annotations

import csv
import json
import re
import shlex
from pathlib import Path

import pytest
import typer

from benchmark.cli import app
from common.configs import find_config

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DEMO = ROOT / "docs" / "demo"
"""Tables of one run of the demo, as the report writes them."""
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def lines_of(name: str) -> list[str]:
    return (DEMO / name).read_text(encoding="utf-8").splitlines()


def test_it_is_short_and_names_the_two_commands():
    assert len(README.splitlines()) <= 120
    assert "make suite" in README and "make test" in README


def test_figures_of_the_demo_are_those_of_its_table():
    rows = [
        line for line in README.splitlines() if line.startswith("|") and re.search(r"\d\\\]|e\+\d\d", line)
    ]
    assert len(rows) > 8
    table = lines_of("summary.md")
    assert [row for row in rows if row not in table] == []
    seeds = next(line for line in table if line.startswith("Figures"))
    assert "1 seed" in seeds and "**1 seed**" in README


def test_verdicts_are_those_of_the_demo():
    said = [line for line in README.splitlines() if re.match(r"- .*: catlip .* clip ", line)]
    assert len(said) > 5
    assert [line for line in said if line not in lines_of("verdicts.md")] == []


def test_cost_at_equal_quality_is_that_of_the_demo():
    with (DEMO / "equal_quality.csv").open(newline="", encoding="utf-8") as file:
        rows = [
            row for row in csv.DictReader(file) if row["backbone"] == "catlip" and row["baseline"] == "clip"
        ]
    for cost in ("samples", "flops"):
        row = next(row for row in rows if row["cost"] == cost)
        times, low, high = (float(row[f"at_level{end}"]) for end in ("", "_low", "_high"))
        assert f"{times:.2f} [{low:.2f}, {high:.2f}]" in README, cost


def test_speed_on_a_gpu_is_what_the_check_found():
    check = json.loads((ROOT / "results" / "gpu_check.json").read_text(encoding="utf-8"))
    found = check["parts"]["speed"]["catlip"]["times_cheaper_than_clip"]
    times, low, high = found["cheaper_same_batch"]
    assert f"{times:.2f} [{low:.2f}, {high:.2f}]" in README and f"{found['cheaper_flops'][0]:.2f}" in README


def commands(page: Path) -> list[list[str]]:
    """Words of each ``python run_suite.py`` of a page, without its comment."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    return [
        shlex.split(found, comments=True)
        for found in re.findall(r"^ {4}(?:srun \S+ )?python run_suite\.py(.*)$", text, re.MULTILINE)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_options_and_configs_are_there(page):
    root = typer.main.get_command(app)
    for words in commands(page):
        command = root.commands[words[0]] if words and not words[0].startswith("-") else root
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, words
        for word in words:
            if re.match(r"(task_configs/)?(pretraining|classification|detection|segmentation)/.*\.py", word):
                assert find_config(word).is_file()


def test_configs_and_files_that_are_named_are_there():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for link in re.findall(r"\]\((?!http)([^)#]+)\)", text):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
    configs = {path.stem for path in (ROOT / "task_configs").rglob("*.py")}
    tasks = README.partition("## Tasks")[2].partition("## Backbones")[0]
    for name in re.findall(r"`([a-z0-9_]+)`", tasks):
        assert name in configs, name
