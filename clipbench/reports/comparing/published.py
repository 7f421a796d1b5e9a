"""Runs beside published numbers, as a table: each score, and what follows from all of them."""

from __future__ import annotations

from collections.abc import Sequence

from clipbench.keys import short
from clipbench.reports.left_out import left_out_notes
from clipbench.reports.tables import Cell, Column, Table
from clipbench.study.comparing.published import PublishedComparison
from clipbench.study.comparing.published_table import COLLECTIONS
from clipbench.wording import plural

PUBLISHED_COLUMNS = (
    *map(Column, ("run", "dataset", "model", "perturbation", "metric", "value", "low", "high", "published")),
    Column("difference", digits=4),
    *map(Column, ("verdict", "collection", "source")),
)

FOR_PROGRAMS = ("low", "high", "source")
"""Columns that people do not need in each row: sources stand beneath."""


def published_table(comparisons: Sequence[PublishedComparison], *, wide: bool = False) -> Table:
    """Return a row per score, or one with the reason where a run cannot be compared.

    wide: with bounds and sources in columns, for programs.
    """
    rows = [row for one in comparisons for row in _rows(one)]
    agreeing = sum(one.agrees for one in comparisons)
    published = [one.published for one in comparisons if one.published is not None]
    notes = [
        (
            f"{agreeing} of {len(published)} comparisons with a published table agree; "
            f"{plural(len(comparisons) - len(published), 'run')} cannot be compared"
        ),
        (
            "within ±x: every score of the run lies that near to the published one; two public tables of the same "
            "weights differ by up to .002"
        ),
    ]
    notes += left_out_notes([one.run for one in comparisons])
    names = sorted({one.collection for one in published} & set(COLLECTIONS))
    notes += [f"{name}: {COLLECTIONS[name].split_note}" for name in names]
    notes += [f"source: {source}" for source in dict.fromkeys(one.source for one in published)]
    kept = [
        i
        for i, column in enumerate(PUBLISHED_COLUMNS)
        if wide or (column.name not in FOR_PROGRAMS and any(row[i] is not None for row in rows))
    ]
    cells = tuple(tuple(row[i] for i in kept) for row in rows)
    return Table(
        "Runs beside published numbers", tuple(PUBLISHED_COLUMNS[i] for i in kept), cells, tuple(notes)
    )


def published_verdict(one: PublishedComparison) -> str:
    """Return what follows for a run: "within ±0.005 (largest 0.0012)", or by how much it is off."""
    if one.published is None:
        return f"cannot compare: {one.reason}"
    if not one.scores:
        return "cannot compare: the run has none of the published metrics"
    tolerance = f"{one.published.tolerance:g}"
    if one.agrees:
        return f"within ±{tolerance} (largest {one.largest:.4f})"
    return f"off by up to {one.largest:.4f}, more than ±{tolerance}"


def _rows(one: PublishedComparison) -> list[tuple[Cell, ...]]:
    run = one.run
    lead = (
        short(run.key),
        run.dataset_name,
        run.model,
        run.perturbation.words,
    )
    if one.published is None or not one.scores:
        return [(*lead, *(None,) * 6, published_verdict(one), None, None)]
    published = one.published
    return [
        (
            *lead,
            f"{score.direction} R@{score.k}",
            score.value,
            score.low,
            score.high,
            score.published,
            score.difference,
            published_verdict(one),
            published.collection,
            published.source,
        )
        for score in one.scores
    ]
