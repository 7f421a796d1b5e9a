"""The honest table of a family of variants, and what each of them costs."""

from __future__ import annotations

from collections.abc import Sequence

from clipbench.keys import short
from clipbench.reports.left_out import left_out_notes
from clipbench.reports.tables import Cell, Column, Table
from clipbench.study.improving.honest import ALL, FAILURES, Honest, Line, StudyLine
from clipbench.study.improving.variants import Produced

_COLUMNS = (
    Column("variant"),
    Column("k", "R@"),
    Column("queries"),
    Column("before"),
    Column("after"),
    Column("delta", "Δ", right=True),
    Column("interval", "95 % interval", right=True),
    Column("fixed"),
    Column("broken"),
    Column("mcnemar_p", "McNemar p"),
    Column("p_holm", "p (Holm)"),
    Column("explained", "explained by placebos", right=True),
)


def honest_tables(title: str, told: Honest, family: Sequence[Produced], *, direction: str) -> list[Table]:
    """Return one table for each group of queries, all queries first, and the runs with what they need."""
    tables = []
    groups = list(dict.fromkeys(line.group for line in told.lines))
    for group in groups:
        lines = [line for line in told.lines if line.group == group]
        rows = tuple(_row(line) for line in lines)
        tables.append(Table(f"{title}, {direction}: {group}", _COLUMNS, rows, _notes(group, told)))
    if told.temperatures:
        tables.append(_temperatures(told))
    return [*tables, _runs(family, told.notes)]


def _temperatures(told: Honest) -> Table:
    names = ("mean_ranks", "mean_first", "max_ranks", "max_first")
    labels = ("ranks as mean", "top-1 as mean", "ranks as max", "top-1 as max")
    columns = (Column("variant"), *(Column(n, label, 3) for n, label in zip(names, labels, strict=True)))
    rows = tuple(
        (label, mean.ranks, mean.first, highest.ranks, highest.first)
        for label, mean, highest in told.temperatures
    )
    return Table("what τ does: shares of queries", columns, rows)


def study_table(lines: Sequence[StudyLine]) -> Table:
    """Return the table that the published study prints: hits on failures only."""
    columns = (
        Column("variant"),
        Column("subset"),
        Column("queries"),
        *(Column(f"before_{k}", f"hits@{k}") for k in (1, 5, 10)),
        *(Column(f"after_{k}", f"with it @{k}") for k in (1, 5, 10)),
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (one.variant, one.subset, one.queries, *one.before, *one.after) for one in lines
    )
    note = "failures only, as published: at 1 nothing here can get worse. Read the tables below instead"
    return Table("as the study reports it", columns, rows, (note,))


def _row(line: Line) -> tuple[Cell, ...]:
    interval = line.interval
    return (
        line.variant + (" (placebo)" if line.placebo else ""),
        line.k,
        line.queries,
        line.before,
        line.after,
        _signed(line.delta),
        None if interval is None else f"[{_signed(interval.low)}, {_signed(interval.high)}]",
        line.flips.fixed,
        line.flips.broken,
        line.flips.p,
        line.p_holm,
        None if line.explained is None else f"{100 * line.explained:.0f} %",
    )


def _notes(group: str, told: Honest) -> tuple[str, ...]:
    if group == ALL:
        return (
            "Δ is variant − plain run, with the paired cluster-bootstrap interval over images",
            "fixed and broken: hits won and lost",
            "p: randomisation over images, corrected by Holm over this table, placebos aside",
        )
    if group == FAILURES:
        return (
            "failures of the plain run at 1 cannot get worse: read no gain here without the placebos' beside it",
        )
    balance = told.balance
    if balance is None:
        return ()
    alike = (
        f"successes matched to {balance.pairs:,} failures: mean |margin| {balance.margins[1]:.4f} against "
        f"{balance.margins[0]:.4f}, words {balance.words[1]:.1f} against {balance.words[0]:.1f}"
    )
    return (alike, "what the plain run found can only get worse")


def _runs(family: Sequence[Produced], notes: tuple[str, ...]) -> Table:
    columns = (
        Column("variant"),
        Column("run", aside=True),
        Column("needs"),
        Column("strings", "strings encoded for it"),
        Column("ms_query", "ms a query, encoding too", digits=3),
        Column("stored", aside=True),
    )
    rows = tuple(
        (
            one.variant.label,
            short(one.run.key),
            one.variant.needs or None,
            one.variant.strings or None,
            _milliseconds(one),
            None if one.created else "before",
        )
        for one in family
    )
    gone = left_out_notes([one.run for one in family])
    return Table("runs", columns, rows, (*notes, *gone))


def _milliseconds(one: Produced) -> float | None:
    seconds = one.run.timings.get("rank")
    return None if seconds is None else 1000 * seconds / one.run.n_queries


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "−")
