"""Recipes in miniature; `recipes.py` can be imported by the tests here."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A small pre-training of CatLIP."""
    from recipes import CATLIP

    path = tmp_path / "catlip.py"
    path.write_text(CATLIP)
    return path
