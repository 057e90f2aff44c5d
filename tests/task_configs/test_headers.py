"""Every config opens with one form of header: what it is, protocol, command, published figure."""

import ast
import csv
import re

import pytest

from benchmark.suites.suite import DEFAULT_SUITE, list_suites
from common import PROJECT
from common.configs import CONFIGS, read_config

ALL = sorted(CONFIGS.glob("*/*.py"))
SECTIONS = r"Protocol|Different from the released code|Different from the paper|Command|Published"

every_config = pytest.mark.parametrize(
    "path", ALL, ids=lambda path: path.relative_to(CONFIGS).with_suffix("").as_posix()
)


def header_of(path):
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def sections_of(path):
    """Title -> text of the parts below the first line."""
    _, *parts = re.split(rf"^({SECTIONS}):", header_of(path), flags=re.MULTILINE)
    assert len(set(parts[::2])) == len(parts[::2])
    return {title: text.strip() for title, text in zip(parts[::2], parts[1::2], strict=True)}


@every_config
def test_the_parts_are_there_in_their_order(path):
    first, blank, *_ = header_of(path).splitlines()
    assert first.endswith(".") and not blank and not re.match(SECTIONS, first)
    titles = list(sections_of(path))
    assert [title for title in titles if not title.startswith("Different")] == [
        *("Protocol", "Command", "Published")
    ]
    assert titles.index("Command") == len(titles) - 2
    assert all(sections_of(path).values())
    for title in titles:  # each is a paragraph of its own, the command an indented one
        assert re.search(rf"\n\n{title}:{chr(10) if title == 'Command' else ' '}", header_of(path))


@every_config
def test_the_command_runs_this_very_file(path):
    header = header_of(path)
    command = re.search(r"^Command:\n((?:    .+\n)+)", header, re.MULTILINE).group(1)
    words = command.replace("\\\n", " ").split()
    assert words[:2] == ["python", "run_suite.py"]
    kind = path.parent.name
    if kind == "suites":
        assert words[2:] == ([] if path.stem == DEFAULT_SUITE else ["--suite", path.stem])
        return
    if kind == "speed":
        assert words[2:] == ["speed"] + (["--geometry", path.stem] if path.stem != "demo" else [])
        return
    assert words[2:4] == ["pretrain" if kind == "pretraining" else "run", f"task_configs/{kind}/{path.name}"]
    data = "pairs" if kind == "pretraining" else read_config(path).task.data
    assert words[words.index("--data") + 1].startswith(f"{data or 'NAME'}=")


@every_config
def test_published_figures_are_those_of_the_reference_table(path):
    published = sections_of(path)["Published"]
    if published.startswith("none"):
        assert re.match(r"none\b.{10,}", published, re.DOTALL), "say why"
        return
    assert "arXiv 2404.15653" in published
    sources = {f"paper {place}" for place in re.findall(r"table \d|section \d\.\d|figure \d\w", published)}
    with (PROJECT / "results" / "published" / "published.csv").open(newline="", encoding="utf-8") as file:
        known = {(row["value"], row["source"]) for row in csv.DictReader(file)}
    named = re.sub(r"2404\.15653|section \d\.\d", "", published)
    figures = re.findall(r"\b\d{1,2}\.\d+\b", named)
    assert figures
    for figure in figures:
        assert any((figure, source) in known for source in sources), figure


def test_all_kinds_of_configs_were_looked_at():
    assert {path.parent.name for path in ALL} >= {"suites", "pretraining", "classification", "detection"}
    assert {path.stem for path in ALL if path.parent.name == "suites"} == set(list_suites())


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*/_base_/*.py")), ids=lambda path: path.stem)
def test_a_part_of_configs_says_that_it_is_one(path):
    assert header_of(path).replace("\n", " ").endswith("Not run by itself.")
