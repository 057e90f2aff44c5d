"""Demo data drawn once for the tests that only read it."""

from pathlib import Path

import pytest

from benchmark.demo_data import DemoSpec, draw_missing


@pytest.fixture(scope="session")
def drawn(tmp_path_factory) -> tuple[Path, DemoSpec]:
    spec = DemoSpec.smoke()
    return draw_missing(tmp_path_factory.mktemp("data") / "demo", spec, workers=1), spec
