"""A table that is wider than its room, as several beneath each other: what names the rows stands in each of them.

Widths are in whatever the caller measures in, columns of a terminal or points of paper.
"""

from __future__ import annotations

from collections.abc import Sequence

from clipbench.reports.tables import Cell, Table


def leads(table: Table, least: Sequence[float], width: float, gap: float) -> list[int]:
    """Return the columns that say which row is which: the first, and what else it takes to tell all rows apart.

    Measurements tell nothing of that kind, so nothing right of the first of them is looked at. What names the
    rows takes at most half the width.
    """
    chosen, groups = [0], {row[:1] for row in table.rows}
    for i in range(1, len(table.columns)):
        measured = table.columns[i].right or any(isinstance(row[i], float) for row in table.rows)
        if measured or len(groups) == len(table.rows):
            break
        finer: set[tuple[Cell, ...]] = {tuple(row[j] for j in (*chosen, i)) for row in table.rows}
        if len(finer) > len(groups) and sum(least[j] + gap for j in (*chosen, i)) <= width / 2:
            chosen.append(i)
            groups = finer
    return chosen


def blocks(
    least: Sequence[float],
    width: float,
    gap: float,
    first: Sequence[int] = (0,),
    together: Sequence[Sequence[int]] = (),
) -> list[list[int]]:
    """Return the columns of each part, from how much width each needs at least.

    Where there are several parts, each begins with the columns `first`, which say what the row is. together:
    neighbours that share a part, where one part has room for them.

    >>> blocks([4, 6, 6, 6], 20, 2), blocks([4, 6, 6, 6], 80, 2)
    ([[0, 1, 2], [0, 3]], [[0, 1, 2, 3]])
    >>> blocks([4, 6, 1, 6, 6], 20, 2, (0, 2))
    [[0, 2, 1], [0, 2, 3], [0, 2, 4]]
    >>> blocks([4, 6, 6, 6], 20, 2, (0,), [(2, 3)])
    [[0, 1], [0, 2, 3]]
    """
    if sum(least) + gap * (len(least) - 1) <= width:
        return [list(range(len(least)))]
    parts = [list(first)]

    def fit(columns: Sequence[int]) -> bool:
        return sum(least[i] + gap for i in (*parts[-1], *columns)) - gap <= width

    for unit in _units(len(least), first, together):
        if not fit(unit) and len(parts[-1]) > len(first):
            parts.append(list(first))
        for column in unit:
            if not fit([column]) and len(parts[-1]) > len(first):
                parts.append(list(first))
            parts[-1].append(column)
    return parts


def _units(count: int, first: Sequence[int], together: Sequence[Sequence[int]]) -> list[Sequence[int]]:
    """Return the columns besides `first` in their order, those that stay together as one."""
    unit_of = {column: unit for unit in together for column in unit}
    units: list[Sequence[int]] = []
    for column in range(count):
        unit = [i for i in unit_of.get(column, (column,)) if i not in first]
        if column not in first and column == unit[0]:
            units.append(unit)
    return units
