"""Tables of what runs do with labelled queries, and of conflicts between annotators."""

from __future__ import annotations

from collections.abc import Sequence

from clipbench.keys import short
from clipbench.records import Dataset
from clipbench.reports.annotation.tables import LONG
from clipbench.reports.tables import Cell, Column, Table
from clipbench.store.runs import StoredRun
from clipbench.study.annotation.adjudicate import Conflict
from clipbench.study.annotation.results import CONTROLS, CategoryChange, CategoryResult

ORACLE = (
    "categories are people's labels of these very failures: per-category figures are an oracle's; a gain on "
    "failures must be read beside non-failures and all queries"
)
TIES = "a tie counts against the hit (pessimistic), so that every query is hit or missed"


def result_table(run: StoredRun, results: Sequence[CategoryResult], policy: str) -> Table:
    """Return hits and ranks of a run on the queries of each category."""
    ks = [k for k, _, _ in results[0].hits] if results else []
    columns = [Column("category"), Column("queries")]
    for k in ks:
        columns += [
            Column(f"hit@{k}", f"R@{k}"),
            Column(f"hit@{k} low", "low"),
            Column(f"hit@{k} high", "high"),
        ]
    columns += [Column("MedR", digits=1), Column("MeanR", digits=2)]
    rows: list[tuple[Cell, ...]] = []
    for result in results:
        cells: list[Cell] = [LONG.get(result.name, result.name), result.n]
        for _, share, interval in result.hits:
            cells += [share, interval.low, interval.high]
        rows.append((*cells, result.median, result.mean))
    title = f"{run.dataset_name} × {run.model} by failure category"
    notes = (f"run {short(run.key)}; merge policy {policy}", TIES, "low, high: Wilson intervals", ORACLE)
    return Table(title, tuple(columns), tuple(rows), notes)


def change_table(
    runs: tuple[StoredRun, StoredRun], changes: Sequence[CategoryChange], policy: str, k: int
) -> Table:
    """Return what changes from one run to another on each category, on controls, and on all queries."""
    names = (
        "category",
        "queries",
        f"R@{k} before",
        "after",
        "change",
        "low",
        "high",
        "fixed",
        "broken",
        "p",
        "p (Holm)",
    )
    rows: list[tuple[Cell, ...]] = [
        (
            LONG.get(change.name, change.name),
            change.n,
            change.before,
            change.after,
            change.after - change.before,
            change.interval.low if change.interval else None,
            change.interval.high if change.interval else None,
            change.flips.fixed,
            change.flips.broken,
            change.flips.p,
            change.p_holm,
        )
        for change in changes
    ]
    before, after = runs
    notes = (
        f"before: run {short(before.key)} ({before.model}); after: run {short(after.key)} ({after.model})",
        f"merge policy {policy}",
        "low, high: 95 % paired cluster bootstrap over images; p: McNemar, exact below 25 flips, else mid-p",
        f"{CONTROLS}: as many queries that the first run gets right, each near a failure in length",
        TIES,
        ORACLE,
    )
    return Table(f"Change on {before.dataset_name}", tuple(map(Column, names)), tuple(rows), notes)


def conflict_table(conflicts: Sequence[Conflict], dataset: Dataset) -> Table:
    """Return the failures that annotators disagree on, with who said what."""
    names = ("item", "caption id", "caption", "gt image", "retrieved", "labels")
    rows = tuple(
        (
            short(conflict.failure.key),
            conflict.failure.caption_id,
            dataset.captions[conflict.failure.caption].text,
            conflict.failure.image_id,
            conflict.failure.retrieved_id,
            "; ".join(conflict.words),
        )
        for conflict in conflicts
    )
    return Table("Failures that annotators disagree on", tuple(map(Column, names)), rows)
