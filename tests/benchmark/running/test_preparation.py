"""Data that a suite draws, and folders that are missing."""

import pytest

from benchmark.running.console import Display
from benchmark.running.preparation import check_data, check_folder, draw, point_to
from benchmark.suites.shipped import Drawn
from common.errors import UserError

DRAWER = """
def draw(root, values, progress):
    root.mkdir(parents=True, exist_ok=True)
    for number in range(values["count"]):
        progress("dots", number + 1, values["count"])
        (root / f"{number}.txt").write_text("a dot")
    return root
"""


def test_a_suite_says_who_draws(harness, capsys):
    (harness.root / "modules" / "dots.py").write_text(DRAWER)
    suite = harness.load(prepare={"dots": {"type": "dots:draw", "count": 3}, "nobody": {"count": 3}})
    with Display() as display:
        root = draw(suite, "dots", display)
        assert root == harness.results / "data" / "dots" and len(list(root.iterdir())) == 3
        with pytest.raises(UserError, match=r"suite toy draws no data called 'dost': did you mean dots"):
            draw(suite, "dost", display)
        with pytest.raises(UserError, match=r"toy\.py: prepare, nobody: give type='module:function'"):
            draw(suite, "nobody", display)
        suite.prepare["dots"]["type"] = "dots:paint"
        with pytest.raises(UserError, match=r"drawer of data 'dots:paint' cannot be imported"):
            draw(suite, "dots", display)
    assert "draw data/dots: drawn" in capsys.readouterr().err


def test_a_missing_folder_comes_with_the_remedy(harness, tmp_path):
    check_folder("toy", harness.data)
    with pytest.raises(UserError, match=r"data toy: .*gone does not exist: name its folder with --data toy="):
        check_folder("toy", tmp_path / "gone")
    drawn = Drawn("dots", "dots", tmp_path / "gone")
    with pytest.raises(
        UserError, match=r"draw it with python run_suite\.py prepare dots, or name its folder"
    ):
        check_folder("toy", tmp_path / "gone", drawn)
    assert point_to("coco", "coco").startswith("name its folder with --data coco=PATH, which holds annotatio")
    suite = harness.load(data={"toy": str(tmp_path / "gone")})
    with pytest.raises(UserError, match="--data toy=PATH"):
        check_data(suite)
