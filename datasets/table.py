"""Tables: CSV, TSV and Parquet with an image and a caption column, and optional ids and split.

What separates, quotes and ends cells is `tabular`'s; here columns become captions. A wrong guess would change
texts, so a line that does not parse is a problem and never repaired.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from clipbench.datasets.fields import FieldError, Roles, left_out, own_numbers, roles, rows_of
from clipbench.datasets.rows import Columns, Note, Parsed, ReadRequest, Row, plural
from clipbench.datasets.textfile import LARGEST, read_bytes
from clipbench.errors import DatasetError, InputError, Problem
from clipbench.foreign_files import parsing
from clipbench.tabular.records import Header, find_delimiter, header_cells
from clipbench.tabular.table import Table, read_table
from clipbench.tabular.text import split_lines

PLAIN_QUOTES = " (if quotation marks are plain characters: --no-quotes)"

NAME_COLUMNS = (
    "name the columns: --image-column NAME --caption-column NAME, or compose captions of them: "
    "--caption-template '{COLUMN}, {COLUMN}'"
)

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
    for row in table.rows:
        try:
            record = _filled(table.named(row), names)
            if lacks := names.lacking(record):
                lacking[lacks] += 1
            else:
                rows += rows_of(record, names, row.line)
        except FieldError as error:
            problems.append(Problem(str(path), row.line, str(error)))
    notes = _notes(table) + left_out(lacking)
    return Parsed(tuple(own_numbers(rows)), notes, tuple(sorted(problems)), names.others)


def parse_parquet(request: ReadRequest) -> Parsed:
    """Return the rows of a Parquet file, one per table row; a caption column of lists gives several.

    Raises DatasetError where pyarrow is not installed, InputError where the file is no Parquet.
    """
    path = request.captions
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise DatasetError(
            "Parquet needs pyarrow, which is not installed", "pip install 'clipbench[parquet]'"
        ) from error
    data = read_bytes(path)
    with parsing(path, "Parquet file", error=DatasetError):
        file = parquet.ParquetFile(io.BytesIO(data))
        present = list(file.schema_arrow.names)
        plain = {name for name in present if _is_plain(file.schema_arrow.field(name).type)}
    try:
        names = roles(request.columns, present)
        names = replace(names, others=tuple(name for name in names.others if name in plain))
    except FieldError as error:
        raise InputError(
            f"{path} lacks a column", [Problem(str(path), 0, str(error))], NAME_COLUMNS
        ) from error
    asked = (names.image, names.caption, names.image_id, names.caption_id, names.split, *names.required)
    composed = [name for template in names.templates for name in template.columns]
    wanted = list(dict.fromkeys(n for n in (*asked, *composed, *names.others) if n is not None))
    rows: list[Row] = []
    problems: list[Problem] = []
    lacking: Counter[str] = Counter()
    number = 0
    with parsing(path, "Parquet file", error=DatasetError):
        for batch in file.iter_batches(columns=wanted):
            for value in batch.to_pylist():
                number += 1
                try:
                    if lacks := names.lacking(value):
                        lacking[lacks] += 1
                    else:
                        rows += rows_of(value, names, number)
                except FieldError as error:
                    problems.append(Problem(str(path), number, f"row {number}: {error}"))
    return Parsed(tuple(own_numbers(rows)), left_out(lacking), tuple(problems), names.others)


def _is_plain(type_: Any) -> bool:
    """Whether values of a Parquet type are kept: texts and numbers, not pictures and nested ones."""
    from pyarrow import types

    return not (types.is_nested(type_) or types.is_binary(type_) or types.is_large_binary(type_))


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
