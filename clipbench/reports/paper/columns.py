"""Which columns of a table stand in a paper, and what is said beneath of the rest."""

from __future__ import annotations

from dataclasses import replace

from clipbench.records import DIRECTIONS
from clipbench.reports.choosing import narrowed
from clipbench.reports.tables import Table, cells_shown, is_numeric


def compact(table: Table) -> tuple[Table, tuple[str, ...]]:
    """Return a table as a paper has it, and the headings of the columns it leaves out.

    Columns that stand aside go, unless rows would be alike without them; what is the same in every row is
    said in a note. Results stay, also where they are all the same.
    """
    columns = range(len(table.columns))
    kept = [i for i in columns if not table.columns[i].aside]
    for i in columns:
        if i not in kept and not _told_apart(table, kept):
            kept = sorted([*kept, i])
    out = tuple(table.columns[i].heading for i in columns if i not in kept)
    same = [
        i
        for i in kept
        if len(table.rows) > 1 and _is_fact(table, i) and len({row[i] for row in table.rows}) == 1
    ]
    kept = [i for i in kept if i not in same] or kept
    cells = cells_shown(table)
    said = [
        f"{table.columns[i].heading}: {cells[0][i]}"
        for i in same
        if i not in kept and cells[0][i] not in {"", "-"}
    ]
    lines = ("; ".join(said),) if said else ()
    return replace(narrowed(table, kept), notes=(*lines, *table.notes)), out


def direction_of(heading: str) -> tuple[str, str]:
    """Return the direction that a heading begins with, "" for none, and the rest.

    >>> direction_of("t2i R@1"), direction_of("RSUM")
    (('t2i', 'R@1'), ('', 'RSUM'))
    """
    first, _, rest = heading.partition(" ")
    return (first, rest) if first in DIRECTIONS and rest else ("", heading)


def directions_of(headings: list[str]) -> list[list[int]]:
    """Return the runs of two and more neighbours, by place, whose headings begin with the same direction."""
    runs: list[list[int]] = []
    for i, heading in enumerate(headings):
        direction, _ = direction_of(heading)
        if direction and runs and runs[-1][-1] == i - 1 and direction_of(headings[i - 1])[0] == direction:
            runs[-1].append(i)
        elif direction:
            runs.append([i])
    return [run for run in runs if len(run) > 1]


def _told_apart(table: Table, kept: list[int]) -> bool:
    """Whether no two rows have the same words in the columns kept."""
    words = [i for i in kept if not is_numeric(table, i)]
    return len({tuple(row[i] for i in words) for row in table.rows}) == len(table.rows)


def _is_fact(table: Table, number: int) -> bool:
    """Whether a column says what the rows are, in words or counts, rather than what came out."""
    column = [row[number] for row in table.rows]
    return not table.columns[number].right and not any(isinstance(cell, float) for cell in column)
