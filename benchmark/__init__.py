"""The harness: suites of cells (backbone x task x seed), their records, tables and plots."""

from __future__ import annotations

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
"""Where run_suite.py, task_configs/ and the default results/ are."""
