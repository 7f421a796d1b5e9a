"""Runs beside published numbers, as a table: each score, and what follows from all of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clipbench.errors import ClipbenchError
from clipbench.keys import short
from clipbench.reports.bridges import read_clip_benchmark
from clipbench.reports.runs import perturbation_name
from clipbench.reports.tables import Cell, Column, Table
from clipbench.store.engine import Store
from clipbench.store.queries import RunFilter, list_runs
from clipbench.store.runs import find_run
from clipbench.study.comparing.anchors import Anchored, hold, hold_against
from clipbench.study.comparing.anchors_table import COLLECTIONS
from clipbench.study.comparing.references import resolve_runs

COLUMNS = (
    Column("run"),
    Column("dataset"),
    Column("model"),
    Column("perturbation"),
    Column("metric"),
    Column("value"),
    Column("low"),
    Column("high"),
    Column("published"),
    Column("difference", digits=4),
    Column("verdict"),
    Column("collection"),
    Column("source"),
)


FOR_PROGRAMS = ("low", "high", "source")
"""Columns that people do not need in each row: sources stand beneath."""


def anchor_report(
    store: Store,
    references: Sequence[str],
    filters: RunFilter,
    files: Sequence[Path] = (),
    *,
    wide: bool = False,
) -> Table:
    """Return the table of the runs that are named, else of those that pass the filters, newest first.

    files: results of CLIP_benchmark to hold the runs against, in place of the published numbers; nothing is
    known of their data but the name. wide: with bounds and sources in columns, for programs. Raises ClipbenchError where there is no run.
    """
    if references:
        runs = resolve_runs(store, references)
    else:
        found = (find_run(store, summary.key) for summary in list_runs(store, filters))
        runs = tuple(run for run in found if run is not None)
    if not runs:
        raise ClipbenchError(
            "there is no run to hold against published numbers", "clipbench evaluate DATASET"
        )
    anchors = [read_clip_benchmark(path) for path in files]
    return anchor_table(hold_against(store, runs, anchors) if anchors else hold(store, runs), wide=wide)


def anchor_table(anchored: Sequence[Anchored], *, wide: bool = False) -> Table:
    """Return a row per score, or one with the reason where a run cannot be compared."""
    rows = [row for one in anchored for row in _rows(one)]
    agreeing = sum(one.agrees for one in anchored)
    compared = sum(one.anchor is not None for one in anchored)
    notes = [
        (
            f"{agreeing} of {compared} comparisons with a published table agree; "
            f"{len(anchored) - compared} runs cannot be compared"
        ),
        (
            "within ±x: every score of the run lies that near to the published one; two public tables of the same "
            "weights differ by up to .002"
        ),
    ]
    used = {one.anchor.collection for one in anchored if one.anchor is not None}
    notes += [f"{name}: {COLLECTIONS[name].split_note}" for name in sorted(used & set(COLLECTIONS))]
    sources = dict.fromkeys(one.anchor.source for one in anchored if one.anchor is not None)
    notes += [f"source: {source}" for source in sources]
    told = [i for i, c in enumerate(COLUMNS) if wide or (c.name not in FOR_PROGRAMS and _said(rows, i))]
    cells = tuple(tuple(row[i] for i in told) for row in rows)
    return Table("Runs beside published numbers", tuple(COLUMNS[i] for i in told), cells, tuple(notes))


def _said(rows: Sequence[tuple[Cell, ...]], place: int) -> bool:
    return any(row[place] is not None for row in rows)


def verdict(one: Anchored) -> str:
    """Return what follows for a run: "within ±0.005 (largest 0.0012)", or by how much it is off."""
    if one.anchor is None:
        return f"cannot compare: {one.reason}"
    if not one.held:
        return "cannot compare: the run has none of the published metrics"
    tolerance = f"{one.anchor.tolerance:g}"
    if one.agrees:
        return f"within ±{tolerance} (largest {one.largest:.4f})"
    return f"off by up to {one.largest:.4f}, more than ±{tolerance}"


def _rows(one: Anchored) -> list[tuple[Cell, ...]]:
    run, setting = one.run, one.run.perturbation
    lead = (
        short(run.key),
        run.dataset_name,
        run.model,
        perturbation_name(setting.operation, setting.level, setting.seed),
    )
    if one.anchor is None or not one.held:
        return [(*lead, None, None, None, None, None, None, verdict(one), None, None)]
    anchor = one.anchor
    return [
        (
            *lead,
            f"{score.direction} R@{score.k}",
            score.value,
            score.low,
            score.high,
            score.published,
            score.difference,
            verdict(one),
            anchor.collection,
            anchor.source,
        )
        for score in one.held
    ]
