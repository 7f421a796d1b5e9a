"""Fits a table to a terminal: long texts fold, and columns that do not fit go below, under those that name the rows.

No number is ever cut. Cells are data: what a terminal would obey is shown as a replacement character.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from itertools import zip_longest
from textwrap import fill

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from clipbench.reports.blocks import blocks, leads
from clipbench.reports.tables import Table, is_numeric, shown

FOLDED = 28
"""Columns of text wider than this may fold; numbers and shorter texts never do."""

GAP = 2
"""Spaces between columns."""

LEAST = 12
"""Columns that a folded text gets at least, on however narrow a terminal."""

_PLAIN = Console(file=StringIO(), width=80)
"""What rich asks for to fold a text; nothing is printed on it."""


def drawn(table: Table, width: int) -> Iterator[Text]:
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
        for number, columns in enumerate(blocks(least, width, GAP, leads(table, least, width, GAP))):
            if number:
                yield Text()
            texts = [i for i in columns if not is_numeric(table, i)]
            given = squeezed(
                dict(zip(columns, widths(natural, least, columns, width), strict=True)), texts, width
            )
            yield _part(table, cells, columns, given)
    else:
        yield Text(f"{printable(table.title)}: {table.empty}" if table.title else table.empty)
    for note in table.notes:
        yield wrapped(printable(note), width)


def wrapped(note: str, width: int) -> Text:
    """Return a note in lines that end between words; a word longer than a line stays whole."""
    lines = fill(note, width, break_long_words=False, break_on_hyphens=False)
    return Text(lines, style="dim")


def printable(text: str) -> str:
    r"""Return `text` as one line that a terminal shows and does not obey.

    >>> printable("a\nb \x1b[31mred")
    'a b �[31mred'
    """
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))


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


def squeezed(given: Mapping[int, int], texts: Sequence[int], width: int) -> list[int]:
    """Return the widths of a part's columns, of which texts, the widest first, give way on a narrow terminal.

    >>> squeezed({0: 28, 1: 7, 2: 20}, [0, 2], 40), squeezed({0: 10, 1: 50}, [0], 40)
    ([14, 7, 15], [10, 50])
    """
    fitted = dict(given)
    while sum(fitted.values()) + GAP * (len(fitted) - 1) > width:
        widest = max(texts, key=lambda i: fitted[i], default=None)
        if widest is None or fitted[widest] <= LEAST:
            break  # numbers are never cut
        fitted[widest] -= 1
    return list(fitted.values())


def _cells(table: Table) -> list[list[str]]:
    """Return the texts of each column, its heading first."""
    return [
        [printable(text) for text in (column.heading, *(shown(row[i], column.digits) for row in table.rows))]
        for i, column in enumerate(table.columns)
    ]


def _part(table: Table, cells: Sequence[Sequence[str]], columns: Sequence[int], wide: Sequence[int]) -> Text:
    """Return columns side by side: the headings, a line, the rows.

    Rich's own table would look the same (a test holds it to that) and take ten times as long.
    """
    right = [is_numeric(table, i) for i in columns]
    head, *rows = zip(*(cells[i] for i in columns), strict=True)
    block = Text(no_wrap=True)
    block.append("\n".join(_row(head, wide, right)), "bold")
    block.append("\n" + "─" * (sum(wide) + GAP * (len(wide) - 1)))
    for row in rows:
        block.append("\n" + "\n".join(_row(row, wide, right)))
    return block


def _row(cells: Sequence[str], wide: Sequence[int], right: Sequence[bool]) -> Iterator[str]:
    """Yield the lines of one row, as many as its most folded cell has."""
    columns = [
        [_set(part, width, end) for part in _folded(cell, width)]
        for cell, width, end in zip(cells, wide, right, strict=True)
    ]
    for parts in zip_longest(*columns):
        yield (" " * GAP).join(
            " " * width if part is None else part for part, width in zip(parts, wide, strict=True)
        )


def _folded(cell: str, width: int) -> list[str]:
    if cell_len(cell) <= width:
        return [cell]
    return [line.plain.rstrip() for line in Text(cell).wrap(_PLAIN, width, overflow="fold")]


def _set(text: str, width: int, right: bool) -> str:
    room = " " * (width - cell_len(text))
    return room + text if right else text + room
