"""One table, several ways to write it: CSV, JSON and Markdown here, the others elsewhere (`formats`, `paper`).

CSV and JSON carry full precision; the others show sensible digits. Cells are data: CSV cells that a
spreadsheet would take for a formula are neutralised, Markdown specials escaped.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from clipbench.failures.exchange import guarded
from clipbench.keys import Json

Cell: TypeAlias = str | int | float | None
"""None is a value that does not exist; it is written as an empty cell or a dash, never as zero."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, and for floats the number of decimals people see.

    `name` is the heading in CSV and JSON (stable), `label` the one people read. `right` sets a column
    of numbers that were written out as texts to the right. `aside` keeps a column out of a paper's table, unless
    it is named or the rows are not told apart without it.
    """

    name: str
    label: str = ""
    digits: int = 4
    right: bool = False
    aside: bool = False

    @property
    def heading(self) -> str:
        """The heading people read."""
        return self.label or self.name


@dataclass(frozen=True)
class Table:
    """Rows under columns, with a title and notes printed beneath. `empty` is said where there are no rows.

    best: cells, by row and column, whose number is set in bold where the format has that.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    empty: str = "nothing yet"
    best: frozenset[tuple[int, int]] = frozenset()

    def __post_init__(self) -> None:
        width = len(self.columns)
        for number, row in enumerate(self.rows):
            if len(row) != width:
                raise ValueError(f"row {number} has {len(row)} cells, the table {width} columns")


def shown(cell: Cell, digits: int) -> str:
    """Return a cell as people read it.

    >>> [shown(c, 4) for c in (0.19919999, 5000, None, "a")]
    ['0.1992', '5,000', '-', 'a']
    """
    if cell is None:
        return "-"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int):
        return f"{cell:,}"
    if isinstance(cell, float):
        return f"{cell:.{digits}f}"
    return cell


def cells_shown(table: Table) -> list[list[str]]:
    """Return the rows as people read them."""
    return [
        [shown(cell, column.digits) for cell, column in zip(row, table.columns, strict=True)]
        for row in table.rows
    ]


MARKS = "†‡"
"""What may stand behind a number: how sure its difference is (`comparing.words`)."""


def split_marks(text: str) -> tuple[str, str]:
    """Return a cell's text and the marks behind it.

    >>> split_marks("0.5000‡"), split_marks("a")
    (('0.5000', '‡'), ('a', ''))
    """
    number = text.rstrip(MARKS)
    return number, text[len(number) :]


QUOTED = re.compile(r'[,"\r\n]')
"""What a CSV cell cannot hold without quotes."""


def neutral(cell: Cell) -> Cell:
    """Return a text cell that no spreadsheet takes for a formula: a quote mark goes before = + - @.

    Numbers stay numbers: -0.5 is data, not a formula.

    >>> neutral("=HYPERLINK(1)"), neutral(-0.5)
    ("'=HYPERLINK(1)", -0.5)
    """
    return guarded(cell) if isinstance(cell, str) else cell


def to_csv(table: Table) -> str:
    r"""Return RFC 4180 text with one heading line, full precision, and empty cells for None; lines end in \n.

    The csv module would leave a lone carriage return unquoted, and every reader takes it for a line's end.
    """
    lines = [[column.name for column in table.columns], *table.rows]
    # An empty line would be no row, so a row of one empty cell has quotes.
    return "".join((",".join(map(_csv_cell, line)) or '""') + "\n" for line in lines)


def _csv_cell(cell: Cell) -> str:
    if not isinstance(cell, str):  # most cells: a thousand runs have a hundred thousand numbers
        return "" if cell is None else str(cell)
    text = str(neutral(cell))
    return '"' + text.replace('"', '""') + '"' if QUOTED.search(text) else text


def json_value(table: Table) -> dict[str, Json]:
    """Return {"title", "rows": [{column: value}], "notes"} with full precision.

    JSON has no word for infinity and NaN; they are null.
    """
    names = [column.name for column in table.columns]
    rows: list[Json] = [dict(zip(names, map(_finite, row), strict=True)) for row in table.rows]
    return {"title": table.title, "rows": rows, "notes": list(table.notes)}


def _finite(cell: Cell) -> Cell:
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell


def to_markdown(table: Table) -> str:
    """Return a GitHub pipe table, its title above in bold, numbers to the right, notes beneath."""
    heads = [_pipe(column.heading) for column in table.columns]
    body = [
        [_marked(_pipe(text), bold=(y, x) in table.best) for x, text in enumerate(row)]
        for y, row in enumerate(cells_shown(table))
    ]
    right = [is_numeric(table, number) for number in range(len(heads))]
    widths = [max(3, *(len(line[i]) for line in [heads, *body])) for i in range(len(heads))]

    def line(cells: Sequence[str]) -> str:
        padded = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(cells, widths, right, strict=True)]
        return "| " + " | ".join(padded) + " |"

    rule = (
        "|" + "|".join("-" * (w + 1) + (":" if r else "-") for w, r in zip(widths, right, strict=True)) + "|"
    )
    title = [f"**{_pipe(table.title)}**", ""] if table.title else []
    parts = [*title, line(heads), rule, *(line(cells) for cells in body)]
    if table.notes:
        parts += ["", *(f"{_pipe(note)}  " for note in table.notes)]
    return "\n".join(parts) + "\n"


def is_numeric(table: Table, number: int) -> bool:
    """Whether a column is set to the right: it says so, or all it holds is numbers."""
    if table.columns[number].right:
        return True
    cells = [row[number] for row in table.rows if row[number] is not None]
    return bool(cells) and all(isinstance(cell, int | float) for cell in cells)


def _pipe(text: str) -> str:
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())


def _marked(text: str, *, bold: bool) -> str:
    number, marks = split_marks(text)
    return f"**{number}**{marks}" if bold else text
