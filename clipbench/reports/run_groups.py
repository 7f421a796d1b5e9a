"""One run by groups of its queries, as a table."""

from __future__ import annotations

from clipbench.keys import short
from clipbench.reports.runs import shown_name
from clipbench.reports.tables import Cell, Column, Table
from clipbench.study.comparing.by_group import GroupedRun
from clipbench.study.comparing.comparison import Estimate

ALL = "all queries"


def group_table(grouped: GroupedRun, *, wide: bool = False) -> Table:
    """Return a row per direction and group, each metric with its interval in brackets.

    wide: the form for programs, a row per direction, group and metric with full precision.
    """
    run = grouped.run
    title = f"{run.dataset_name} × {run.model}, {run.perturbation.words}, by {grouped.by}"
    rows: list[tuple[Cell, ...]]
    if wide:
        heads = ("direction", "group", "metric", "value", "low", "high", "queries", "images")
        rows = [
            (one.direction, one.group or ALL, name, e.value, e.low, e.high, one.queries, one.images)
            for one in grouped.groups
            for name, e in one.values
        ]
        return Table(title, tuple(Column(head) for head in heads), tuple(rows), grouped.notes)
    names = list(dict.fromkeys(name for one in grouped.groups for name, _ in one.values))
    columns = [Column("direction"), Column("group"), Column("queries"), Column("images")]
    columns += [Column(shown_name(name), right=True) for name in names]
    ordered = sorted(grouped.groups, key=lambda one: one.direction != grouped.groups[0].direction)
    rows = [
        (
            one.direction,
            one.group or ALL,
            one.queries,
            one.images,
            *(_words(dict(one.values)[n]) for n in names),
        )
        for one in ordered
    ]
    notes = (f"run {short(run.key)}; a group's numbers are those of its queries alone, the gallery is whole",)
    return Table(title, tuple(columns), tuple(rows), (*notes, *grouped.notes))


def _words(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.4f}"
    return f"{estimate.value:.4f} [{estimate.low:.4f}, {estimate.high:.4f}]"
