"""A comparison from references to tables: what `clipbench report --compare` prints."""

from __future__ import annotations

from collections.abc import Sequence

from clipbench.errors import CompareError
from clipbench.reports.comparing.flips import flip_table
from clipbench.reports.comparing.latex import to_paper
from clipbench.reports.comparing.tables import detail, overview, overview_table, wide
from clipbench.reports.comparing.words import run_labels
from clipbench.reports.tables import Table, to_latex
from clipbench.store.engine import Store
from clipbench.study.comparing.compare import compare
from clipbench.study.comparing.comparison import CompareRequest, Comparison
from clipbench.study.comparing.flips import changed_most
from clipbench.study.comparing.references import resolve_one, resolve_runs
from clipbench.study.comparing.sides import load_sides


def compared(
    store: Store, references: Sequence[str], request: CompareRequest, baseline: str | None = None
) -> Comparison:
    """Return the comparison of the runs that the references mean; the first is the baseline unless one is named.

    Raises StoreError for a reference that means nothing, CompareError for runs that do not compare.
    """
    runs = resolve_runs(store, references)
    place = 0
    if baseline is not None:
        base = resolve_one(store, baseline)
        keys = [run.key for run in runs]
        if base.key not in keys:
            runs, keys = (base, *runs), [base.key, *keys]
        place = keys.index(base.key)
    if len(runs) < 2:
        named = f"{len(references)} references mean {len(runs)} runs" if references else "no run is named"
        raise CompareError(
            f"a comparison needs 2 runs: {named}",
            "clipbench report --compare latest:clean latest:word-dropout=0.3",
        )
    return compare(store, runs, request, place)


def comparison_tables(comparison: Comparison, form: str) -> tuple[Table, ...]:
    """Return the tables of a comparison in one of the formats: for programs one, for people an overview first."""
    if form in {"csv", "json"}:
        return (wide(comparison),)
    whole = detail(comparison)
    side_by_side = len(comparison.runs) > 2 or comparison.groups != ("",)
    if form == "table" and not side_by_side:
        return (whole,)
    return (overview_table(overview(comparison), markdown=form == "markdown"), whole)


def flip_tables(store: Store, comparison: Comparison, count: int, *, full: bool = False) -> tuple[Table, ...]:
    """Return, for each run, the table of the queries that changed most from the baseline."""
    labels = run_labels(comparison.runs)
    sides = load_sides(store, comparison.runs)
    base = comparison.baseline
    return tuple(
        flip_table(
            changed_most(store, sides[base], sides[run], count), (labels[base], labels[run]), full=full
        )
        for run in range(len(sides))
        if run != base
    )


def paper(comparison: Comparison, more: Sequence[Table] = ()) -> str:
    """Return everything as LaTeX."""
    return "\n".join([to_paper(comparison), *(to_latex(table) for table in more)])
