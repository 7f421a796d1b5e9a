"""A table in the order and extent that an address asks for: sorted, filtered, columns hidden, a page at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass

from clipbench.browse_page.asking import Asked
from clipbench.browse_page.view import Listing
from clipbench.reports.tables import Cell, Column, Table, is_numeric, shown

ROWS = 100
"""Rows of a page."""

Key = tuple[int, float, str]


@dataclass(frozen=True, slots=True)
class Row:
    """One row that is shown. cells: texts, as people read them, of the columns that are."""

    cells: tuple[str, ...]
    link: str = ""
    tick: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """A column that is shown. order: "ascending" or "descending" where rows are sorted by it. address: sorts by it."""

    column: Column
    numeric: bool
    order: str
    address: str


@dataclass(frozen=True, slots=True)
class Arranged:
    """A page of a listing. found: rows that pass the filter; every: all columns with whether they are hidden."""

    heads: tuple[Head, ...]
    rows: tuple[Row, ...]
    found: int
    total: int
    page: int
    pages: int
    find: str
    every: tuple[tuple[Column, bool], ...]


def arranged(listing: Listing, asked: Asked) -> Arranged:
    """Return the rows that an address asks for. Unknown columns and pages that are not there are no error."""
    table, find = listing.table, asked.one("find").strip()
    numbers = _filtered(table, find)
    by, down = asked.one("sort"), asked.one("down") == "1"
    names = [column.name for column in table.columns]
    if by in names:
        numbers = _sorted(table, numbers, names.index(by), down=down)
    pages = max(1, math.ceil(len(numbers) / ROWS))
    page = min(asked.number("page", 1), pages)
    hidden = set(asked.many("hide"))
    kept = [place for place, name in enumerate(names) if name not in hidden] or [0]
    heads = tuple(_head(table, place, asked, by, down=down) for place in kept)
    rows = tuple(_row(listing, number, kept) for number in numbers[(page - 1) * ROWS : page * ROWS])
    every = tuple((column, column.name in hidden) for column in table.columns)
    return Arranged(heads, rows, len(numbers), len(table.rows), page, pages, find, every)


def _row(listing: Listing, number: int, kept: list[int]) -> Row:
    table = listing.table
    cells = tuple(shown(table.rows[number][place], table.columns[place].digits) for place in kept)
    link = listing.links[number] if listing.links else ""
    return Row(cells, link, listing.ticks[number] if listing.ticks else "")


def _head(table: Table, place: int, asked: Asked, by: str, *, down: bool) -> Head:
    column, numeric = table.columns[place], is_numeric(table, place)
    here = column.name == by
    order = "" if not here else "descending" if down else "ascending"
    # Numbers are looked at from the largest on; a second click turns the order round.
    turned = not down if here else numeric
    return Head(column, numeric, order, asked.but(sort=column.name, down="1" if turned else ""))


def _filtered(table: Table, find: str) -> list[int]:
    """Return the numbers of the rows that hold every word somewhere, in any case."""
    words = find.casefold().split()
    if not words:
        return list(range(len(table.rows)))
    digits = [column.digits for column in table.columns]
    found = []
    for number, row in enumerate(table.rows):
        text = "\n".join(map(shown, row, digits)).casefold()
        if all(word in text for word in words):
            found.append(number)
    return found


def _sorted(table: Table, numbers: list[int], place: int, *, down: bool) -> list[int]:
    keys = {number: _key(table.rows[number][place]) for number in numbers}
    there = [number for number in numbers if keys[number][0] < 2]
    # What does not exist is last whichever way the others go.
    return sorted(there, key=keys.__getitem__, reverse=down) + [n for n in numbers if keys[n][0] == 2]


def _key(cell: Cell) -> Key:
    """Return what a cell is sorted by: numbers before texts, a text that begins with a number by that.

    >>> sorted([2.5, "b", "10.1 [9, 11]", "A"], key=_key)
    [2.5, '10.1 [9, 11]', 'A', 'b']
    """
    if cell is None or cell == "":
        return (2, 0.0, "")
    if isinstance(cell, int | float):
        return (2, 0.0, "") if math.isnan(cell) else (0, float(cell), "")
    first = cell.split()[0] if cell.split() else ""
    try:
        return (0, float(first.replace(",", "").replace("−", "-")), cell)
    except ValueError:
        return (1, 0.0, cell.casefold())
