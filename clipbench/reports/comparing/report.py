"""A comparison as tables and as LaTeX: what `clipbench report --compare` prints."""

from __future__ import annotations

from clipbench.reports.comparing.flips import flip_table
from clipbench.reports.comparing.latex import to_paper
from clipbench.reports.comparing.tables import detail, overview, overview_table, wide
from clipbench.reports.comparing.words import run_labels
from clipbench.reports.tables import Table, to_latex
from clipbench.study.comparing.comparison import Comparison


def comparison_tables(comparison: Comparison, form: str) -> tuple[Table, ...]:
    """Return the tables of a comparison in one of the formats: for programs one, for people an overview first.

    Last come the queries that changed most, a table for each run, where the comparison has them.
    """
    for_programs = form in {"csv", "json"}
    changed = flip_tables(comparison, full=for_programs)
    if for_programs:
        return (wide(comparison), *changed)
    side_by_side = len(comparison.runs) > 2 or comparison.groups != ("",)
    if form == "table" and not side_by_side:
        return (detail(comparison), *changed)
    return (overview_table(overview(comparison), markdown=form == "markdown"), detail(comparison), *changed)


def flip_tables(comparison: Comparison, *, full: bool = False) -> tuple[Table, ...]:
    """Return, for each run, the table of the queries that changed most from the baseline."""
    labels = run_labels(comparison.runs)
    return tuple(
        flip_table(queries, (labels[comparison.baseline], labels[run]), full=full)
        for run, queries in comparison.changed.items()
    )


def paper(comparison: Comparison) -> str:
    """Return everything as LaTeX."""
    return "\n".join([to_paper(comparison), *(to_latex(table) for table in flip_tables(comparison))])
