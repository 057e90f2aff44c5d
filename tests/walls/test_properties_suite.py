"""Whatever is written in records, overrides and progress: it is read, or refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from examples import QUICK
from hypothesis import given
from hypothesis import strategies as st
from record_data import record

from benchmark.records.schema import Record
from benchmark.records.store import read_or_damage
from benchmark.reporting.tables import csv_text, escape
from benchmark.suites.settings import SuiteSettings
from common.configs import override_words, parse_overrides
from common.errors import UserError
from common.names import is_folder_name, slug
from common.progress import read_progress
from common.settings import checked
from common.terminal import printable


def json_values() -> st.SearchStrategy:
    """Anything that JSON can hold, and the numbers that Python's can beside."""
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
        max_leaves=8,
    )


def records() -> st.SearchStrategy[str]:
    """The text of records: one with some entries changed or gone, or anything."""
    whole = json.loads(record().model_dump_json())

    def edited(changes: dict, gone: set) -> str:
        return json.dumps({key: value for key, value in (whole | changes).items() if key not in gone})

    names = st.sampled_from(sorted(whole))
    changed = st.builds(edited, st.dictionaries(names, json_values(), max_size=3), st.sets(names, max_size=2))
    return changed | json_values().map(json.dumps) | st.text()


def suites() -> st.SearchStrategy[dict]:
    """What a suite's config says, most of it wrong."""
    names = st.sampled_from(sorted(SuiteSettings.model_fields)) | st.text(max_size=8)
    return st.dictionaries(names, json_values(), max_size=5)


def overrides() -> st.SearchStrategy[dict]:
    """Entries with values, as ``--set`` takes them."""
    keys = st.from_regex(r"[a-z_]+(\.[a-z_0-9]+)*", fullmatch=True)
    return st.dictionaries(keys, st.integers() | st.text() | st.booleans() | st.none() | st.lists(st.text()))


@given(records())
@QUICK
def test_a_record_is_read_or_damaged(text):
    with TemporaryDirectory() as folder:
        (Path(folder) / "record.json").write_text(text, encoding="utf-8", errors="surrogatepass")
        try:
            found, damage = read_or_damage(Path(folder))
        except UserError as error:
            assert "newer than" in str(error) and "\n" not in str(error)
        else:
            assert isinstance(found, Record) != bool(damage)
            assert found is None or found.status == "failed" or found.headline is not None
            assert "\n" not in damage


@given(suites())
@QUICK
def test_a_suite_is_settled_or_refused_in_one_line(values):
    try:
        assert checked(SuiteSettings, values, "mine.py").backbones
    except UserError as error:
        assert printable(error).startswith("mine.py: ") and "Traceback" not in str(error)


@given(overrides())
@QUICK
def test_overrides_are_read_back(values):
    assert parse_overrides(override_words(values)[1::2]) == values


@given(json_values().map(json.dumps))
@QUICK
def test_progress_is_read_or_none(text):
    with TemporaryDirectory() as folder:
        (Path(folder) / "progress.json").write_text(text)
        found = read_progress(Path(folder) / "progress.json")
        assert found is None or found.text()


@given(st.text())
@QUICK
def test_any_name_is_a_folder_within_and_shown_as_text(name):
    assert is_folder_name(slug(name)) and Path(slug(name)).name == slug(name) and slug(name) not in ("", "..")
    shown = printable(name)
    assert not any(ord(character) < 32 and character not in "\t\n" for character in shown)
    shown.encode("utf-8")
    assert "\n" not in escape(name) and "<" not in escape(name)
    assert not csv_text([{"a": name}]).split("\n", 1)[1].lstrip('"').startswith(("=", "+", "@", "-"))
