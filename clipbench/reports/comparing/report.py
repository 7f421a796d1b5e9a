"""A comparison as tables: what `clipbench report --compare` prints."""

from __future__ import annotations

from dataclasses import replace

from clipbench.reports.comparing.flips import flip_table
from clipbench.reports.comparing.tables import detail, overview, overview_table, wide
from clipbench.reports.comparing.words import run_labels
from clipbench.reports.tables import Table
from clipbench.study.comparing.comparison import Comparison

AS_BEFORE = "marks and intervals as in the table before"


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
    side, whole = overview_table(overview(comparison)), detail(comparison)
    if form == "table":
        return (replace(side, notes=()), whole, *changed)
    if form == "markdown":
        return (replace(side, notes=side.notes[:1]), whole, *changed)
    # On paper the first table says what is to be known of both.
    return (side, replace(whole, title=f"{whole.title}, every difference", notes=(AS_BEFORE,)), *changed)


def flip_tables(comparison: Comparison, *, full: bool = False) -> tuple[Table, ...]:
    """Return, for each run, the table of the queries that changed most from the baseline."""
    labels = run_labels(comparison.runs)
    return tuple(
        flip_table(queries, (labels[comparison.baseline], labels[run]), full=full)
        for run, queries in comparison.changed.items()
    )
