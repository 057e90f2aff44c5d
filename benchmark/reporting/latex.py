"""The summary as a LaTeX table, to be input into a paper as it is (packages: booktabs)."""

from __future__ import annotations

from pathlib import Path

from benchmark.reporting.names import column_title, figure_text, titles_of
from benchmark.reporting.results import Results, Score
from common.files import write_text

SPECIAL = {
    **{char: f"\\{char}" for char in "&%$#_{}"},
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}",
    "±": "$\\pm$",
    "–": "--",
    "−": "$-$",
    "δ": "$\\delta$",
    "·": "$\\cdot$",
    "≥": "$\\ge$",
    "→": "$\\to$",
}


def write(results: Results) -> list[Path]:
    """Write ``tables/summary.tex``."""
    path = results.folder / "tables" / "summary.tex"
    write_text(path, tabular(results))
    return [path]


def tabular(results: Results) -> str:
    """A line per task and metric, a column per backbone: figures with their 95 % intervals."""
    names, titles = list(results.backbones), titles_of(results)
    lines = [
        f"% Suite {_comment(results.suite)}, made by python run_suite.py report. It needs booktabs.",
        "% 95 % intervals are for the population that each test set is a sample of.",
        f"\\begin{{tabular}}{{l{'r' * len(names)}}}",
        "\\toprule",
        " & ".join(["", *map(escape, names)]) + " \\\\",
        "\\midrule",
    ]
    for task, metric, _ in results.columns():
        scores = [results.score(name, task, metric) for name in names]
        unit = next((score.metric.unit for score in scores if score.metric), "")
        title = titles[task] if metric is None else column_title(titles[task], metric, unit)
        lines.append(" & ".join([escape(title), *map(_cell, scores)]) + " \\\\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}"]) + "\n"


def escape(text: str) -> str:
    """Text as LaTeX prints it unchanged."""
    return "".join(SPECIAL.get(char, char) for char in " ".join(str(text).split()))


def _cell(score: Score) -> str:
    if score.metric is None:
        return "--"
    text = figure_text(score.metric.value)
    if score.spread.total is not None:
        text += f" ± {score.spread.total:.1f}"
    if score.metric.low is not None:
        text += f" [{figure_text(score.metric.low)}, {figure_text(score.metric.high)}]"
    return escape(text)


def _comment(text: str) -> str:
    return " ".join(str(text).split())
