"""Reading configs."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.configs import override_words, parse_data, parse_overrides, read_config
from common.errors import UserError


def test_overrides_are_literals_or_text_and_survive_the_command_line():
    pairs = ["a=1", "b.c=1e-3", "d=(1, 2)", "e=both", "f=true", "g=x=y", "h=None", "+i={'j': 'k'}"]
    values = parse_overrides(pairs)
    assert list(values.values()) == [1, 1e-3, (1, 2), "both", True, "x=y", None, {"j": "k"}]
    values["text"] = "1"  # a text that looks like a number
    assert parse_overrides(override_words(values)[1::2]) == values
    for wrong in ("a", "=1", "+=1", "."):
        with pytest.raises(UserError, match="--set key=value"):
            parse_overrides([wrong])


def test_a_misspelt_override_is_an_error_and_an_addition_is_not(tmp_path):
    path = tmp_path / "config.py"
    path.write_text("optimizer = dict(lr=1.0, steps=[dict(at=1)])")
    assert read_config(path, {"optimizer.lr": 2.0}).optimizer.lr == 2.0
    assert read_config(path, {"optimizer.steps.0.at": 7}).optimizer.steps[0].at == 7
    assert read_config(path, {"+optimizer.momentum": 0.9}).optimizer.momentum == 0.9
    with pytest.raises(UserError, match=r"did you mean optimizer\.lr"):
        read_config(path, {"optimizer.lrr": 2.0})


def test_reading_a_config_imports_nothing_it_names(tmp_path):
    path = tmp_path / "config.py"
    path.write_text("custom_imports = dict(imports=['no_such_module_at_all'], allow_failed_imports=False)")
    assert read_config(path).custom_imports


def test_data_paths():
    assert parse_data(["coco=/data/a=b"]) == {"coco": Path("/data/a=b")}
    for wrong in ("coco", "=x", "coco="):
        with pytest.raises(UserError, match="NAME=PATH"):
            parse_data([wrong])
