"""The two lists of packages say the same, and the public files name the two commands."""

import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent


def test_environment_yml_lists_what_pyproject_lists():
    tomllib = pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {*project["dependencies"], *project["optional-dependencies"]["test"], "--editable ."}
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, _, pip = environment["dependencies"]
    assert set(pip["pip"]) == wanted
    assert python == f"python {project['requires-python']}"


def test_files_that_code_reads_are_packaged():
    tomllib = pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    read = {"benchmark.statistics": "coverage.csv", "pretraining.labels.lexicon": "LICENSE"}
    for package, name in read.items():
        folder = ROOT.joinpath(*package.split("."))
        assert any(folder / name in folder.glob(pattern) for pattern in patterns[package]), name
