"""Tables: CSV and TSV with an image and a caption column, and optional ids and split.

What separates, quotes and ends cells is `tabular`'s; here columns become captions. A wrong guess would change
texts, so a line that does not parse is a problem and never repaired.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from clipbench.datasets.fields import NAME_COLUMNS, FieldError, Roles, left_out, own_numbers, roles, rows_of
from clipbench.datasets.rows import Columns, Note, Parsed, ReadRequest, Row
from clipbench.datasets.textfile import LARGEST
from clipbench.errors import DatasetError, InputError, Problem
from clipbench.tabular.records import Header, find_delimiter, header_cells
from clipbench.tabular.table import Table, read_table
from clipbench.tabular.text import split_lines
from clipbench.wording import plural

PLAIN_QUOTES = " (if quotation marks are plain characters: --no-quotes)"

REMARKABLE = ("swallowed-rows", "unnamed-columns", "utf-16")
"""Quirks of a table that are worth a note; the others change nothing about what is read."""


def parse(request: ReadRequest) -> Parsed:
    """Return the rows of a CSV or TSV file with a header line.

    Raises InputError (no text, no such columns) and DatasetError (no file).
    """
    path = request.captions
    table = read_table(
        path,
        known=lambda header: _has_roles(request.columns, header),
        quoting=request.quoting,
        advice=PLAIN_QUOTES,
        limit=LARGEST,
        error=DatasetError,
    )
    names = _roles(path, request.columns, table)
    rows: list[Row] = []
    problems = list(table.problems)
    lacking: Counter[str] = Counter()
    notes = _notes(table)
    # Rows are let go of as they are read: a million would be there twice.
    given, table = deque(table.rows), replace(table, rows=())
    while given:
        row = given.popleft()
        try:
            record = _filled(table.named(row), names)
            if lacks := names.lacking(record):
                lacking[lacks] += 1
            else:
                rows += rows_of(record, names, row.line)
        except FieldError as error:
            problems.append(Problem(str(path), row.line, str(error)))
    notes += left_out(lacking)
    return Parsed(tuple(own_numbers(rows)), notes, tuple(sorted(problems)), names.others)


def header_names(text: str) -> tuple[str, ...]:
    """Return the column names of a table's text that shows an image and a caption column, empty for any other.

    For format detection; `parse` explains what is missing.
    """
    delimiter, said = find_delimiter(text, lambda header: _has_roles(Columns(), header))
    lines = [line for line in split_lines(text) if line.strip()][1 if said else 0 :]
    names = header_cells(lines[0], delimiter) if lines else ()
    return names if _has_roles(Columns(), names) else ()


def _has_roles(columns: Columns, header: Header) -> bool:
    try:
        roles(columns, header)
    except FieldError:
        return False
    return True


def _roles(path: Path, columns: Columns, table: Table) -> Roles:
    try:
        return roles(columns, table.header)
    except FieldError as error:
        problem = Problem(str(path), table.header_line, str(error))
        hint = f"the first line must name the columns; {NAME_COLUMNS}"
        raise InputError(f"{path} lacks a column", [problem], hint) from error


def _notes(table: Table) -> tuple[Note, ...]:
    notes = [Note(quirk.kind, 1, quirk.message) for quirk in table.quirks if quirk.kind in REMARKABLE]
    if table.blank:
        notes.append(Note("blank-lines", table.blank, f"{plural(table.blank, 'blank line')} passed over"))
    return tuple(notes)


def _filled(cells: Mapping[str, str], names: Roles) -> dict[str, object]:
    """An empty cell of an id is a missing id; an empty caption is an empty caption."""
    return {name: value if value or name == names.caption else None for name, value in cells.items()}
