"""Where a table's columns stand in a paper: side by side, or as panels beneath each other; what folds, and how wide.

Lengths are in points. Nothing is lost for want of room: what does not fit goes below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clipbench.reports.blocks import blocks, leads
from clipbench.reports.paper.columns import direction_of, directions_of
from clipbench.reports.paper.decimals import Decimals, decimals
from clipbench.reports.paper.setting import BOLD, longest_piece, width_of
from clipbench.reports.tables import Table, cells_shown, is_numeric, split_marks

COLUMN, PAGE = 235.0, 500.0
"""Room for a table in one column of a two-column paper, and across both: a little less than journals have."""

GAP = 6.0
"""Between two columns."""

FOLDED = 60.0
"""Texts wider than this may fold; numbers and shorter texts never do."""

WORD = 1.1
"""How much wider than its longest word a column is at least, so that narrower papers have room for that too."""


@dataclass(frozen=True)
class PaperColumn:
    """A column: the lines of its heading, and the direction above it that neighbours share ("" for none).

    right: set to the right. numbers: how its numbers are aligned at their points, None where they are not.
    natural, least: its width as it is, and with its texts folded.
    """

    heading: tuple[str, ...]
    direction: str
    right: bool
    numbers: Decimals | None
    natural: float
    least: float


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
    """A table laid out in so many points of room."""

    room: float
    columns: tuple[PaperColumn, ...]
    panels: tuple[Panel, ...]


def laid_out(table: Table, room: float, *, align: bool = False) -> Layout:
    """Return where everything stands. align: whether numbers are aligned at their points. The table has rows."""
    names = [column.heading for column in table.columns]
    together = directions_of(names)
    under = {i for run in together for i in run}
    columns = tuple(_column(table, i, shares=i in under, align=align) for i in range(len(names)))
    least = [column.least for column in columns]
    parts = blocks(least, room, GAP, leads(table, least, room, GAP), together)
    return Layout(room, columns, tuple(Panel(tuple(part), _folded(columns, part, room)) for part in parts))


def _column(table: Table, number: int, *, shares: bool, align: bool) -> PaperColumn:
    """Return a column. shares: whether its direction stands above it and its neighbours."""
    texts = [row[number] for row in cells_shown(table)]
    right = is_numeric(table, number)
    aligned = decimals(texts) if align and right else None
    bold = [(y, number) in table.best for y in range(len(texts))]
    content = max(_cell_width(*cell) for cell in zip(texts, bold, strict=True))
    if aligned:
        content = max(content, aligned.width * (BOLD if any(bold) else 1.0))
    name = table.columns[number].heading
    direction, rest = direction_of(name) if shares else ("", name)
    heading = _heading(rest, content)
    natural = max(content, *map(width_of, heading))
    least = natural if right or natural <= FOLDED else max(FOLDED, WORD * max(map(longest_piece, texts)))
    return PaperColumn(heading, direction, right, aligned, natural, least)


def _cell_width(text: str, bold: bool) -> float:  # noqa: FBT001 - of one cell
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


def _folded(columns: Sequence[PaperColumn], part: Sequence[int], room: float) -> dict[int, float]:
    """Return the width of each column that folds; they share what room there is, and take what a narrow one leaves."""
    # One gap more than there are: numbers of other fonts may be a little wider.
    spare = room - sum(columns[i].least for i in part) - GAP * len(part)
    wanting = sorted(
        (i for i in part if columns[i].natural > columns[i].least),
        key=lambda i: columns[i].natural - columns[i].least,
    )
    folded = {}
    for left, i in zip(range(len(wanting), 0, -1), wanting, strict=True):
        more = max(0.0, min(spare / left, columns[i].natural - columns[i].least))
        spare -= more
        if columns[i].least + more < columns[i].natural:
            folded[i] = columns[i].least + more
    return folded
