"""Fits a table to a terminal: long texts fold, and columns that do not fit go below under the first one.

No number is ever cut. Cells are data: what a terminal would obey is shown as a replacement character.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.cells import cell_len
from rich.table import Table as RichTable
from rich.text import Text

from clipbench.reports.tables import Table, is_numeric, shown

FOLDED = 28
"""Columns of text wider than this may fold; numbers and shorter texts never do."""

GAP = 2
"""Spaces between columns."""

LEAST = 12
"""Columns that a folded text gets at least, on however narrow a terminal."""


def drawn(table: Table, width: int) -> Iterator[Text | RichTable]:
    """Yield what to print, one after another: the title, the table in one part or several, the notes."""
    if table.rows:
        if table.title:
            yield Text(printable(table.title), style="bold")
        cells = _cells(table)
        natural = [max(map(cell_len, column)) for column in cells]
        least = [
            wide if is_numeric(table, i) else min(wide, FOLDED, max(LEAST, width))
            for i, wide in enumerate(natural)
        ]
        for number, columns in enumerate(blocks(least, width)):
            if number:
                yield Text()
            yield _part(table, cells, columns, widths(natural, least, columns, width))
    else:
        yield Text(f"{printable(table.title)}: {table.empty}" if table.title else table.empty)
    for note in table.notes:
        yield Text(printable(note), style="dim")


def printable(text: str) -> str:
    r"""Return `text` as one line that a terminal shows and does not obey.

    >>> printable("a\nb \x1b[31mred")
    'a b �[31mred'
    """
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))


def blocks(least: Sequence[int], width: int) -> list[list[int]]:
    """Return the columns of each part, from how many columns of the terminal each needs at least.

    Every part begins with the first column, which says what the row is.

    >>> blocks([4, 6, 6, 6], 20), blocks([4, 6, 6, 6], 80)
    ([[0, 1, 2], [0, 3]], [[0, 1, 2, 3]])
    """
    parts = [[0]]
    for column in range(1, len(least)):
        taken = sum(least[i] + GAP for i in parts[-1])
        if taken + least[column] > width and len(parts[-1]) > 1:
            parts.append([0])
        parts[-1].append(column)
    return parts


def widths(natural: Sequence[int], least: Sequence[int], columns: Sequence[int], width: int) -> list[int]:
    """Return how wide each column of a part is drawn; what the terminal has left goes to those that fold.

    >>> widths([4, 90, 50], [4, 28, 28], [0, 1, 2], 100)
    [4, 46, 46]
    """
    given = {i: least[i] for i in columns}
    left = width - sum(given.values()) - GAP * (len(columns) - 1)
    wanting = [i for i in columns if natural[i] > given[i]]
    while left > 0 and wanting:
        share = max(1, left // len(wanting))
        for i in wanting:
            more = min(share, natural[i] - given[i], left)
            given[i] += more
            left -= more
        wanting = [i for i in wanting if natural[i] > given[i]]
    return [given[i] for i in columns]


def _cells(table: Table) -> list[list[str]]:
    """Return the texts of each column, its heading first."""
    return [
        [printable(text) for text in (column.heading, *(shown(row[i], column.digits) for row in table.rows))]
        for i, column in enumerate(table.columns)
    ]


def _part(
    table: Table, cells: Sequence[Sequence[str]], columns: Sequence[int], wide: Sequence[int]
) -> RichTable:
    part = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for i, width in zip(columns, wide, strict=True):
        part.add_column(
            Text(cells[i][0]),
            justify="right" if is_numeric(table, i) else "left",
            width=width,
            overflow="fold",
        )
    for row in range(1, len(table.rows) + 1):
        part.add_row(*(Text(cells[i][row]) for i in columns))
    return part
