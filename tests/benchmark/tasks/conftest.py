"""Tests on one thread."""

import pytest


@pytest.fixture(autouse=True)
def small_models(one_thread):
    """All models here are small."""
