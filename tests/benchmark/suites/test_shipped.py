"""Where data are drawn is what the suites of the project say, and nothing else knows it."""

import re

import pytest

from benchmark.suites.shipped import drawing_suite, drawn_data
from benchmark.suites.suite import DEFAULT_SUITE, list_suites, load_suite
from common import PROJECT
from common.configs import find_config
from common.errors import UserError


def test_the_default_suite_is_asked_first(tmp_path):
    suite = load_suite(DEFAULT_SUITE, tmp_path)
    assert len(suite.data) >= 4
    for name, folder in suite.data.items():
        drawn = drawn_data(name, tmp_path)
        assert (drawn.suite, drawn.folder) == (DEFAULT_SUITE, folder)
        assert drawn.command == f"python run_suite.py prepare {drawn.name}" and drawn.name in suite.prepare


def test_data_that_no_suite_draws_are_somebodys_own(tmp_path):
    assert drawn_data("coco", tmp_path) is None and drawn_data("imagenet1k", tmp_path) is None


def test_pairs_are_those_of_a_suite_that_pre_trains_by_the_config(tmp_path):
    own = find_config("pretraining/demo_clip.py")
    assert drawn_data("pairs", tmp_path, pretraining=own).folder == tmp_path / "data" / "demo" / "pairs"
    assert drawn_data("pairs", tmp_path, pretraining=tmp_path / "demo_clip.py") is None


def test_what_can_be_drawn_is_what_some_suite_prepares(tmp_path):
    for name in list_suites():
        for entry in load_suite(name, tmp_path).prepare:
            assert entry in load_suite(drawing_suite(entry), tmp_path).prepare
    with pytest.raises(UserError, match="no suite draws data called 'smoek': did you mean smoke"):
        drawing_suite("smoek")


def test_no_module_but_the_drawing_ones_knows_the_demo():
    """But for the default suite's name, and examples in help texts and docstrings."""
    examples = re.compile(r"(Example: |results/demo/|results/data/demo/|pretraining/demo_|the demo's )")
    for package in ("backbones", "benchmark", "common", "pretraining"):
        for path in (PROJECT / package).rglob("*.py"):
            if path.parent.name == "demo_data":
                continue
            for line in path.read_text(encoding="utf-8").splitlines():
                known = line.startswith("DEFAULT_SUITE = ") or examples.search(line)
                assert "demo" not in line or known, f"{path}: {line}"
