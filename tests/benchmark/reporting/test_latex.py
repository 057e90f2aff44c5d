"""Tables for a paper: what a compiler would trip over, and a compiler's own word where there is one."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from record_data import record

from benchmark import reporting
from benchmark.records.store import write_record
from benchmark.reporting import latex, tables
from benchmark.reporting.results import of_folder

HOSTILE = r"a%b_c&d#e$f{g}h\i~j^k`l" + '"m<n>o|p[q]r–s±t中\x07\n' + "100%"


def structure(text: str) -> list[list[str]]:
    """The cells of a tabular that compiles.

    Raises:
        AssertionError: it does not.
    """
    comments, body = [], []
    for line in text.splitlines():
        (comments if line.startswith("%") else body).append(line)
    assert len(comments) == 2
    assert re.findall(r"\\(begin|end)\{(\w+)\}", text) == [("begin", "tabular"), ("end", "tabular")]
    begin, top, head, middle, *rows, bottom, end = body
    assert (top, middle, bottom, end) == (r"\toprule", r"\midrule", r"\bottomrule", r"\end{tabular}")
    columns = re.fullmatch(r"\\begin\{tabular\}\{@\{\}([lr]+)@\{\}\}", begin)[1]
    cells = []
    for row in (head, *rows):
        assert row.endswith(r" \\") and not row.startswith("[")
        row = row.removesuffix(r" \\")
        assert not re.search(r"(?<!\\)[%_#~^]", re.sub(r"\^\{-?\d+\}", "", row)), row
        assert len(re.findall(r"(?<!\\)\$", row)) % 2 == 0
        depth = 0
        for character in re.findall(r"(?<!\\)[{}]", row):
            depth += 1 if character == "{" else -1
            assert depth >= 0
        assert depth == 0 and all(ord(c) < 0x180 and c.isprintable() for c in row)
        cells.append(re.split(r"(?<!\\)&", row))
        assert len(cells[-1]) == len(columns)
    return cells


def test_hostile_names_stay_in_their_cells():
    cells = structure(latex.tabular(["x", HOSTILE], [[HOSTILE, "1.0"], ["[y]", "–"]], 1, "made by\nthis"))
    assert len(cells) == 3
    assert latex.escape(r"50% of \input{x} & $y$") == (r"50\% of \textbackslash{}input\{x\} \& \$y\$")
    assert "U+4E2D" in latex.escape("中") and latex.escape("Größe") == "Größe"


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="there is no LaTeX")
def test_a_table_of_hostile_names_compiles(tmp_path):
    table = latex.tabular(["x", HOSTILE], [[HOSTILE, "1.0 ± 2"], ["[y]", "–"]], 1, "made by\nthis")
    (tmp_path / "table.tex").write_text(table, encoding="utf-8")
    paper = r"\documentclass{article}\usepackage{booktabs}\begin{document}\input{table}\end{document}"
    (tmp_path / "paper.tex").write_text(paper, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=100
    )
    assert done.returncode == 0 and (tmp_path / "paper.pdf").is_file(), done.stdout[-2000:]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("7.50e+15", r"$7.50 \times 10^{15}$"),
        ("lr=1e-05", r"lr=$1 \times 10^{-5}$"),
        ("fe+1", "fe+1"),
        ("62.0 ± 2.8 [60.0, 64.0]", r"62.0 $\pm$ 2.8 {[}60.0, 64.0]"),
    ],
)
def test_figures_are_set_as_a_paper_has_them(text, shown):
    assert latex.escape(text) == shown


def test_the_summary_is_written_as_latex_with_its_command(tmp_path):
    for number, name in enumerate(("random_1", "a & b", "[50%] $x^2$ ~\\")):
        write_record(tmp_path / "toy" / str(number) / "probe" / "seed0", record(name, 60.0 + number))
    results = of_folder(tmp_path / "toy")
    reporting.update(results)
    text = (results.folder / "tables" / "summary.tex").read_text(encoding="utf-8")
    assert text.startswith("% python run_suite.py report --suite toy: ")
    header, lines, _ = tables.layout(results)
    assert [len(header)] * (len(lines) + 1) == [len(row) for row in structure(text)]
    (results.folder / "tables" / "summary.tex").unlink()
    assert reporting.update(results)
