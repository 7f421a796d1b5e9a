"""The queries that changed most, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from clipbench.reports.tables import Cell, Column, Table
from clipbench.study.comparing.flips import ChangedQuery, TopResult

FLIP_COLUMNS = (
    Column("direction"),
    Column("change"),
    Column("query"),
    Column("caption"),
    Column("own image"),
    Column("baseline rank", digits=1),
    Column("rank", digits=1),
    Column("baseline top1", "baseline found first"),
    Column("top1", "run found first"),
    Column("baseline text", "caption in the baseline"),
    Column("text", "caption in the run"),
    Column("baseline margin"),
    Column("margin"),
)


def flip_table(changed: Sequence[ChangedQuery], labels: tuple[str, str], *, full: bool = False) -> Table:
    """Return the table; labels are those of baseline and run. What is the same all over is left out unless `full`.

    A caption is written beside its clean text only where the run encoded another one.
    """
    rows = [_row(one) for one in changed]
    kept = [
        i
        for i, column in enumerate(FLIP_COLUMNS)
        if full or _says_something(column, [row[i] for row in rows])
    ]
    return Table(
        f"Changed most: {labels[1]} against {labels[0]}",
        tuple(FLIP_COLUMNS[i] for i in kept),
        tuple(tuple(row[i] for i in kept) for row in rows),
        (
            (
                "ordered by the change of the reciprocal rank; fixed and broken: the item found first became right, "
                "or ceased to be; margin: best right score less best wrong one"
            ),
        )
        if rows
        else (),
        empty="no query changed its rank",
    )


def _says_something(column: Column, cells: Sequence[Cell]) -> bool:
    optional = {"caption", "baseline text", "text"}
    return column.name not in optional or any(cell is not None for cell in cells)


def _row(one: ChangedQuery) -> tuple[Cell, ...]:
    return (
        one.direction,
        one.kind,
        one.query,
        one.caption,
        one.image_id,
        one.before.rank,
        one.after.rank,
        _first(one.before),
        _first(one.after),
        _other_text(one, one.before),
        _other_text(one, one.after),
        one.before.margin,
        one.after.margin,
    )


def _first(found: TopResult) -> str:
    text = f"{found.top1_id}: {found.top1_text}" if found.top1_text is not None else found.top1_id
    return f"{text} ✓" if found.right else text


def _other_text(one: ChangedQuery, found: TopResult) -> str | None:
    return found.text if found.text != one.caption else None
