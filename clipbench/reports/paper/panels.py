"""Where a table's columns stand in a paper: side by side, or as panels beneath each other; what folds, and how wide.

Lengths are in points. Nothing is lost for want of room: what does not fit goes below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clipbench.reports.blocks import blocks, leads
from clipbench.reports.paper.columns import direction_of, directions_of
from clipbench.reports.paper.setting import BOLD, longest_piece, width_of
from clipbench.reports.tables import Table, cells_shown, is_numeric, split_marks

COLUMN, PAGE = 240.0, 500.0
"""Room for a table in one column of a two-column paper, and across both: a little less than journals have."""

GAP = 6.0
"""Between two columns."""

FOLDED = 60.0
"""Texts wider than this may fold; numbers and shorter texts never do."""


@dataclass(frozen=True)
class Heading:
    """What stands above a column: the lines, beneath a direction that neighbours share ("" for none)."""

    lines: tuple[str, ...]
    direction: str = ""


@dataclass(frozen=True)
class Panel:
    """Columns side by side, by place. folded: in how many points those that fold are set."""

    columns: tuple[int, ...]
    folded: Mapping[int, float]

    def lines(self, cells: Sequence[str]) -> int:
        """Return about how many lines a row takes."""
        return max([1, *(int(width_of(cells[i]) * 1.1 // wide) + 1 for i, wide in self.folded.items())])


@dataclass(frozen=True)
class Layout:
    """A table laid out: its headings, whether each column is set to the right, and its panels."""

    headings: tuple[Heading, ...]
    right: tuple[bool, ...]
    panels: tuple[Panel, ...]


def laid_out(table: Table, room: float) -> Layout:
    """Return where everything stands. The table has rows."""
    names, cells = [column.heading for column in table.columns], cells_shown(table)
    right = [is_numeric(table, i) for i in range(len(names))]
    together = directions_of(names)
    under = {i for run in together for i in run}
    content = [
        max(_cell_width(row[i], bold=(y, i) in table.best) for y, row in enumerate(cells))
        for i in range(len(names))
    ]
    headings = [
        Heading(
            _heading(direction_of(name)[1] if i in under else name, content[i]),
            direction_of(name)[0] if i in under else "",
        )
        for i, name in enumerate(names)
    ]
    natural = [max(wide, *map(width_of, head.lines)) for wide, head in zip(content, headings, strict=True)]
    least = [
        wide if right[i] or wide <= FOLDED else max(FOLDED, *(longest_piece(row[i]) for row in cells))
        for i, wide in enumerate(natural)
    ]
    first = leads(table, least, room, GAP)
    panels = [
        Panel(tuple(columns), _folded(natural, least, columns, room))
        for columns in blocks(least, room, GAP, first, together)
    ]
    return Layout(tuple(headings), tuple(right), tuple(panels))


def fits(table: Table, room: float) -> bool:
    """Whether all columns of a table stand side by side."""
    return len(laid_out(table, room).panels) == 1


def _cell_width(text: str, *, bold: bool) -> float:
    number, marks = split_marks(text)
    return width_of(number) * (BOLD if bold else 1.0) + width_of(marks)


def _heading(text: str, content: float) -> tuple[str, ...]:
    """Return a heading in lines no wider than its column's cells, or than its longest word."""
    words = text.split() or [""]
    room = max(content, *map(width_of, words))
    lines = [words[0]]
    for word in words[1:]:
        longer = f"{lines[-1]} {word}"
        if width_of(longer) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return tuple(lines)


def _folded(
    natural: Sequence[float], least: Sequence[float], columns: Sequence[int], room: float
) -> dict[int, float]:
    """Return the width of each column that folds; they share what room there is, and take what a narrow one leaves."""
    given = {i: least[i] for i in columns}
    wanting = [i for i in columns if natural[i] > given[i]]
    spare = room - sum(given.values()) - GAP * (len(columns) - 1)
    for left, i in zip(
        range(len(wanting), 0, -1), sorted(wanting, key=lambda i: natural[i] - given[i]), strict=True
    ):
        more = max(0.0, min(spare / left, natural[i] - given[i]))
        given[i] += more
        spare -= more
    return {i: given[i] for i in wanting if given[i] < natural[i]}
