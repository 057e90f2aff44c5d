"""The table for a paper: as many cells in each row, everything special escaped, and compiled where TeX is."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from test_comparisons import cell

from benchmark.reporting import latex
from benchmark.reporting.results import of_folder

TEX = shutil.which("tectonic") or shutil.which("pdflatex")


@pytest.fixture
def table(tmp_path):
    for backbone in ("random", "clip", "catlip"):
        cell(tmp_path / "toy", backbone, task="a_b&c%$#{}~^")
    cell(tmp_path / "toy", "clip", task="other")
    return latex.tabular(of_folder(tmp_path / "toy"))


def test_every_row_has_a_cell_for_each_column(table):
    body = table[table.index("\\toprule") : table.index("\\bottomrule")]
    rows = [line for line in body.splitlines() if line.endswith("\\\\")]
    assert len(rows) == 3
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {3}
    assert table.count("\\begin{tabular}{lrrr}") == table.count("\\end{tabular}") == 1
    plain = re.sub(r"\\text\w+\{\}|\\[&%$#_{}]", "", "".join(rows))
    assert not re.search(r"[%#_~^$]|[^\x00-\x7f]", plain)
    assert "--" in rows[2]  # what is not measured


def test_escaping_is_exact():
    assert latex.escape("50 % ± 1\n<a_b>") == "50 \\% $\\pm$ 1 \\textless{}a\\_b\\textgreater{}"
    assert latex.escape("\\input{x}") == "\\textbackslash{}input\\{x\\}"


@pytest.mark.skipif(TEX is None, reason="no LaTeX here (Debian: apt install texlive-latex-recommended)")
def test_it_compiles_as_it_is(table, tmp_path):
    (tmp_path / "summary.tex").write_text(table, encoding="utf-8")
    paper = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\\input{summary}\\end{document}"
    (tmp_path / "paper.tex").write_text(paper, encoding="utf-8")
    options = [] if "tectonic" in TEX else ["-interaction=nonstopmode", "-halt-on-error"]
    subprocess.run([TEX, *options, "paper.tex"], cwd=tmp_path, check=True, capture_output=True, timeout=120)
