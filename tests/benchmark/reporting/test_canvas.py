"""A figure as PNG, SVG and PDF."""

from __future__ import annotations

from xml.etree import ElementTree

import matplotlib as mpl
import pytest

from benchmark.reporting import canvas
from common.errors import UserError

NAME = "a<script>alert(1)</script> & $b$"


def figure():
    drawn, axes = canvas.new_canvas(3, 2)
    axes.plot([0, 1], [0, 1], "o-", label=NAME)
    axes.set_title(NAME)
    axes.legend()
    return drawn


def test_three_formats_lie_beside_each_other_and_are_the_same_every_time(tmp_path):
    with mpl.rc_context(canvas.STYLE):
        first = canvas.save(figure(), tmp_path / "a" / "plot.png")
        again = canvas.save(figure(), tmp_path / "b" / "plot.png")
    assert [path.name for path in first] == ["plot.png", "plot.svg", "plot.pdf"]
    assert sorted(first) == sorted((tmp_path / "a").iterdir())
    for one, other in zip(first, again, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name
    starts = (b"\x89PNG", b"<?xml", b"%PDF")
    assert all(path.read_bytes().startswith(start) for path, start in zip(first, starts, strict=True))


def test_text_stays_text_and_is_escaped(tmp_path):
    with mpl.rc_context(canvas.STYLE):
        _, svg, pdf = canvas.save(figure(), tmp_path / "plot.png")
    tree = ElementTree.parse(svg)
    assert NAME in ["".join(node.itertext()) for node in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert not list(tree.iter("{http://www.w3.org/2000/svg}script"))
    assert b"<script>" not in svg.read_bytes()
    assert b"CreationDate" not in pdf.read_bytes() and b"/Type3" not in pdf.read_bytes()


def test_a_folder_in_the_way_is_named(tmp_path):
    (tmp_path / "plot.svg").mkdir()
    with pytest.raises(UserError, match=r"plot\.svg is a folder"):
        canvas.save(figure(), tmp_path / "plot.png")
