"""Tables of what runs do with labelled queries, and of conflicts between annotators."""

from __future__ import annotations

from collections.abc import Sequence

from clipbench.keys import short
from clipbench.records import Dataset
from clipbench.reports.annotation.tables import LONG, SINGLE, bounds
from clipbench.reports.left_out import left_out_notes
from clipbench.reports.tables import Cell, Column, Table
from clipbench.store.runs import StoredRun
from clipbench.study.annotation.adjudicate import Conflict
from clipbench.study.annotation.changes import CONTROLS, FEWEST_IMAGES, Changes
from clipbench.study.annotation.results import ALL_QUERIES, CategoryResult

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
            cells += [share, *bounds(interval)]
        rows.append((*cells, result.median, result.mean))
    title = f"{run.dataset_name} × {run.model} by failure category"
    how = f"low, high: Wilson intervals; of {ALL_QUERIES} a bootstrap over images"
    notes = (f"run {short(run.key)}; merge policy {policy}", TIES, how, ORACLE, *left_out_notes([run]))
    return Table(title, tuple(columns), tuple(rows), notes)


def change_tables(
    runs: tuple[StoredRun, StoredRun], changes: Changes, policy: str, k: int
) -> tuple[Table, Table]:
    """Return what changes from one run to another on each group of queries, and how much of it is their choice."""
    return _change_table(runs, changes, policy, k), _placebo_table(runs, changes)


def _change_table(runs: tuple[StoredRun, StoredRun], changes: Changes, policy: str, k: int) -> Table:
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
            *bounds(change.interval),
            change.flips.fixed,
            change.flips.broken,
            change.flips.p,
            change.p_holm,
        )
        for change in changes.rows
    ]
    before, after = runs
    notes = (
        f"before: run {short(before.key)} ({before.model}); after: run {short(after.key)} ({after.model})",
        f"merge policy {policy}",
        f"low, high: 95 % paired cluster bootstrap over images, {SINGLE}",
        "p: McNemar, exact below 25 flips, else mid-p",
        *_chosen(before, changes),
        TIES,
        ORACLE,
        *left_out_notes(runs),
    )
    return Table(f"Change on {before.dataset_name}", tuple(map(Column, names)), tuple(rows), notes)


def _chosen(before: StoredRun, changes: Changes) -> tuple[str, str]:
    """Return how failures and non-failures were chosen, and what that alone does to their change."""
    drawn = {
        True: "chosen because the run before misses them, so by chance alone they can only get better",
        False: f"chosen because another run than {short(before.key)} misses them",
        None: "chosen because a run misses them",
    }[changes.drawn_from_first]
    return f"failures: {drawn}", f"{CONTROLS}: {changes.controls}"


def _placebo_table(runs: tuple[StoredRun, StoredRun], changes: Changes) -> Table:
    """Return each group's change beside the one that the choice of its queries makes by itself."""
    names = ("category", "queries", "change", "placebo queries", "placebo", "beyond", "low", "high")
    rows: list[tuple[Cell, ...]] = [
        (
            LONG.get(change.name, change.name),
            change.n,
            change.after - change.before,
            change.placebo.n,
            change.placebo.change,
            change.placebo.beyond,
            *bounds(change.placebo.interval),
        )
        for change in changes.rows
        if change.placebo is not None
    ]
    before, after = (short(run.key) for run in runs)
    back = (
        f"placebo: as many queries that {after} ranks as {before} ranks these, going back from {after} to "
        f"{before}: what choosing such queries gives where neither run is better (regression to the mean)"
    )
    beyond = (
        "beyond: change less placebo, in fixed less broken per query; about 0 where only chance moved them. "
        "Read this as the effect, not the change"
    )
    bounded = (
        "low, high: 95 % cluster bootstrap over images, both groups together; - with fewer than "
        f"{FEWEST_IMAGES} images or where nothing changed"
    )
    notes = (back, beyond, bounded)
    return Table("Beyond regression to the mean", tuple(map(Column, names)), tuple(rows), notes)


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
