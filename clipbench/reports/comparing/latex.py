"""A comparison as LaTeX: an overview for the paper, and every difference in full for its appendix.

Needs the package booktabs. Daggers stand in superscripts as in
information retrieval papers, and the caption says what they mean.
"""

from __future__ import annotations

from dataclasses import replace

from clipbench.reports.comparing.tables import Overview, Score, detail, overview
from clipbench.reports.comparing.words import DAGGER, DOUBLE_DAGGER
from clipbench.reports.tables import booktabs, tex, to_latex
from clipbench.study.comparing.comparison import Comparison

MARKS = {"": "", DAGGER: r"$^{\dagger}$", DOUBLE_DAGGER: r"$^{\ddagger}$"}


def to_paper(comparison: Comparison) -> str:
    """Return both tables, one after the other; the first one's caption explains both."""
    whole = replace(detail(comparison), notes=("Marks and intervals as in the table before",))
    return overview_latex(overview(comparison)) + "\n" + to_latex(whole)


def overview_latex(told: Overview) -> str:
    """Return an overview as a booktabs table: a row per run, the best of each column bold, marks raised."""
    lead = ["group"] if told.has_groups else []
    heads = " & ".join(tex(head) for head in (*lead, "run", *told.columns))
    align = "l" * (len(lead) + 1) + "r" * len(told.columns)
    lines = []
    previous: str | None = None
    for group, label, scores in told.rows:
        if told.has_groups and previous is not None and group != previous:
            lines.append(r"\midrule")
        named = [tex(group) if group != previous else ""] if told.has_groups else []
        previous = group
        lines.append(" & ".join([*named, tex(label), *(_cell(score) for score in scores)]) + r" \\")
    return booktabs((told.title, "Bold: the best of its column", *told.notes), align, heads, lines)


def _cell(score: Score | None) -> str:
    if score is None:
        return "--"
    text = rf"\textbf{{{score.text}}}" if score.best else score.text
    return text + MARKS[score.mark]
