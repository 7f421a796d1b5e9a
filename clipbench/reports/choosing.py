"""The columns of tables that somebody asked for, in their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from clipbench.errors import ClipbenchError
from clipbench.reports.tables import Table


def with_columns(tables: Sequence[Table], names: Sequence[str]) -> tuple[Table, ...]:
    """Return the tables with these columns alone, in this order: those tables that have all of them.

    Where none has, each shows those it has, and one without any is left out. A column goes by its heading or its name in CSV, in capitals or not. Raises ClipbenchError for a name that no
    table has, a name given twice, and none at all.
    """
    wanted = [" ".join(name.split()).casefold() for name in names]
    if not all(wanted):
        raise ClipbenchError("a column without a name is asked for", "--columns a,b,c")
    twice = [name for name, key in zip(names, wanted, strict=True) if wanted.count(key) > 1]
    if twice:
        raise ClipbenchError(f"the column {twice[0]!r} is asked for twice", "--columns a,b,c")
    places = [
        {name: i for i, column in enumerate(table.columns) for name in _names(column.heading, column.name)}
        for table in tables
    ]
    for name, key in zip(names, wanted, strict=True):
        if not any(key in place for place in places):
            there = dict.fromkeys(column.heading for table in tables for column in table.columns)
            raise ClipbenchError(f"there is no column {name!r}", f"one of: {', '.join(there)}")
    whole = any(all(key in place for key in wanted) for place in places)
    return tuple(
        narrowed(table, [place[key] for key in wanted if key in place])
        for table, place in zip(tables, places, strict=True)
        if (all if whole else any)(key in place for key in wanted)
    )


def _names(*names: str) -> list[str]:
    return [name.casefold() for name in names]


def narrowed(table: Table, kept: Sequence[int]) -> Table:
    """Return the table with columns by place; what was in bold stays so."""
    moved = {old: new for new, old in enumerate(kept)}
    return replace(
        table,
        columns=tuple(table.columns[i] for i in kept),
        rows=tuple(tuple(row[i] for i in kept) for row in table.rows),
        best=frozenset((row, moved[column]) for row, column in table.best if column in moved),
    )
