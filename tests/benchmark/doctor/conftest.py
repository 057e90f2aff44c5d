"""Looking at findings, and faking what is installed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmark.doctor.findings import Check, Finding


def _check_shape(finding: dict) -> None:
    assert list(finding) == ["name", "status", "message", "remedy", "seconds"]
    assert finding["status"] in {"ok", "warning", "error"}
    assert finding["name"] and finding["message"] and "\n" not in finding["message"] + finding["remedy"]
    assert bool(finding["remedy"]) == (finding["status"] != "ok"), finding


@pytest.fixture
def check_shape() -> Callable[[dict], None]:
    """Asserts that a finding is complete: one line, and a remedy unless all is well."""
    return _check_shape


@pytest.fixture
def run() -> Callable[..., Finding]:
    """Runs one check's function as the doctor does."""

    def run(function: Callable[..., Finding], *arguments: object) -> Finding:
        found = Check("tried", lambda: function(*arguments), "the remedy").run()
        _check_shape(asdict(found))
        return found

    return run


@pytest.fixture
def fake_distribution() -> Callable[[Path, str, str], None]:
    """Writes the metadata of a distribution into a folder: (folder, name, version)."""

    def fake_distribution(folder: Path, name: str, version: str) -> None:
        info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")

    return fake_distribution
