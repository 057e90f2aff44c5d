"""A recipe in miniature, as a file."""

from pathlib import Path

import pytest
from recipes import CATLIP, DROPPING


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A small pre-training of CatLIP."""
    path = tmp_path / "catlip.py"
    path.write_text(CATLIP + DROPPING)
    return path
