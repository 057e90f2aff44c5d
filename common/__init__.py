"""The ground floor: what everybody needs and nothing heavy. Imports no other package of the project."""

from __future__ import annotations

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
"""Where run_suite.py, task_configs/ and the default results/ are."""
