"""The compiled tables: what they hold, and that compiling WordNet gives them again."""

from __future__ import annotations

from pathlib import Path

import pytest
from tricky_captions import wordnet_or_skip

from common.errors import UserError
from pretraining.labels import lexicon
from pretraining.labels.lexicon import compile as compiler
from pretraining.labels.lexicon.wordnet import installed_wordnet, lay_out

FOLDER = Path(lexicon.__file__).parent


def test_compiling_wordnet_gives_the_tables() -> None:
    nouns, hypernyms = compiler.compile_nouns(wordnet_or_skip())
    assert nouns == lexicon.read_table(lexicon.NOUNS)
    assert hypernyms == lexicon.read_table(lexicon.HYPERNYMS)


def test_the_tables_are_small_and_licensed() -> None:
    assert sum((FOLDER / name).stat().st_size for name in (lexicon.NOUNS, lexicon.HYPERNYMS)) < 1_200_000
    licence = (FOLDER / "LICENSE").read_text()
    assert "WordNet 3.0 Copyright 2006 by Princeton University" in licence


def test_writing_a_table_is_deterministic_and_leaves_nothing_else(tmp_path: Path) -> None:
    first, second = tmp_path / "a.xz", tmp_path / "b.xz"
    compiler.write_table(first, "dog\n")
    compiler.write_table(second, "dog\n")
    assert first.read_bytes() == second.read_bytes()
    assert sorted(tmp_path.iterdir()) == [first, second]


def test_a_folder_that_is_not_wordnet(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"lacks index\.sense"):
        lay_out(tmp_path, tmp_path / "root")
    with pytest.raises(UserError, match="no WordNet 3"):
        installed_wordnet(tmp_path / "missing")
