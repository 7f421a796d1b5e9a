"""A table as HTML: it scrolls within itself on a narrow screen, its first column stays in sight."""

from __future__ import annotations

from collections.abc import Sequence

from clipbench.reports.html.elements import Child, Markup, element, joined, quoted
from clipbench.reports.tables import Cell, Column, Table, is_numeric, shown

LONG = 28
"""Texts of more characters than this may break into lines."""


def table_markup(table: Table, *, heading: str | None = None) -> Markup:
    """Return a table with its heading (its title by default) above and its notes beneath."""
    told = table.title if heading is None else heading
    parts: list[Child] = [element("h3", {}, told)] if told else []
    if not table.rows:
        return joined([*parts, element("p", {"class": "note"}, table.empty), *_notes(table)])
    right = [is_numeric(table, number) for number in range(len(table.columns))]
    head = [
        element("th", {"scope": "col", "class": "n" if r else None}, column.heading)
        for column, r in zip(table.columns, right, strict=True)
    ]
    body = [
        element(
            "tr",
            {},
            *(_cell(number, row[number], table.columns[number], right[number]) for number in range(len(row))),
        )
        for row in table.rows
    ]
    return joined([*parts, scrolling(told or "table", head, body), *_notes(table)])


def scrolling(name: str, head: Sequence[Markup], rows: Sequence[Markup]) -> Markup:
    """Return a table of ready cells in a box of its own that scrolls, with the keyboard too."""
    drawn = element("table", {}, element("thead", {}, element("tr", {}, *head)), element("tbody", {}, *rows))
    return element("div", {"class": "scroll", "tabindex": "0", "role": "region", "aria-label": name}, drawn)


def _notes(table: Table) -> list[Markup]:
    return [element("p", {"class": "note"}, note) for note in table.notes]


def _cell(number: int, cell: Cell, column: Column, right: bool) -> Markup:  # noqa: FBT001, how it is set
    text = shown(cell, column.digits)
    kind = "n" if right else "w" if len(text) > LONG else "k"
    if right and " [" in text:  # a value may stand above its interval, which stays in one piece
        kind, text = "n b", text.replace(", ", ",\u00a0")
    content = quoted(text) if isinstance(cell, str) and not right else text
    if number == 0:
        return element("th", {"scope": "row", "class": kind}, content)
    return element("td", {"class": kind}, content)
