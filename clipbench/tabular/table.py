"""A whole table: named columns, rows of as many cells, and everything remarkable or wrong, with lines.

A wrong guess would change texts, so what does not fit is a problem and never repaired.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clipbench.errors import ClipbenchError, DatasetError, InputError, Problem
from clipbench.foreign_files import read_foreign
from clipbench.tabular.records import Header, Quoting, Record, find_delimiter, records, swallows_rows
from clipbench.tabular.text import Quirk, decode_text

LARGEST = 4 << 30
"""Bytes of a table that are read: some forty million captions."""


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one row under the header, and the 1-based line it begins on."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table that was read.

    header: the columns' names, all different; columns without a name are not in it. rows: those with as many
    cells as the header. delimiter: what separates them. blank: rows without anything that were passed over.
    """

    header: tuple[str, ...]
    rows: tuple[Row, ...]
    delimiter: str = ","
    header_line: int = 1
    blank: int = 0
    quirks: tuple[Quirk, ...] = ()
    problems: tuple[Problem, ...] = ()

    def named(self, row: Row) -> dict[str, str]:
        """Return a row's cells by the name of their column."""
        return dict(zip(self.header, row.cells, strict=True))


def read_table(
    path: Path,
    *,
    known: Callable[[Header], bool] | None = None,
    quoting: Quoting = "csv",
    advice: str = "",
    limit: int = LARGEST,
    error: type[ClipbenchError] = DatasetError,
) -> Table:
    """Return the table in a file of at most `limit` bytes. Raises `error` where there is none; as `parse_table`."""
    return parse_table(
        read_foreign(path, limit, error=error), str(path), known=known, quoting=quoting, advice=advice
    )


def parse_table(
    data: bytes,
    file: str,
    *,
    known: Callable[[Header], bool] | None = None,
    quoting: Quoting = "csv",
    advice: str = "",
) -> Table:
    """Return the table that a file's bytes hold; its first row with text names the columns.

    file: the name for messages. known: whether a header holds the columns that are looked for; it decides
    between separators and nothing else. advice: what to do where quotation marks are plain characters; it
    completes messages about them. Raises InputError for what is no text, and for a header that does not parse
    or names a column twice; everything below is in the table's problems.
    """
    text = decode_text(data, file)
    del data  # of a large table text and rows are enough
    delimiter, said = find_delimiter(text.text, known)
    found = records(text.text, delimiter, quoting, advice)
    if said:
        next(record for record in found if not _is_blank(record.cells))  # the line `sep=` itself
    table = table_of(found, file, delimiter, advice)
    quirks = [*text.quirks, *table.quirks]
    if delimiter != ",":
        shown = "tabs" if delimiter == "\t" else delimiter
        quirks.append(Quirk("delimiter", f"columns separated by {shown}"))
    return replace(table, quirks=tuple(quirks))


def table_of(found: Iterable[Record], file: str, delimiter: str = "", advice: str = "") -> Table:
    """Return the table of records that were cut already, of a spreadsheet for instance. Raises as `parse_table`."""
    rest = iter(found)
    head = next((record for record in rest if record.fault or not _is_blank(record.cells)), None)
    if head is None:
        raise InputError(f"{file} is empty", [Problem(file, 0, "holds nothing to read")])
    names = _header(head, file)
    rows: list[Row] = []
    problems: list[Problem] = []
    swallowing: list[Record] = []
    blank = 0
    for record in rest:
        if record.fault:
            problems.append(Problem(file, record.line, record.fault))
        elif _is_blank(record.cells):
            blank += 1
        elif len(record.cells) != len(names):
            problems.append(Problem(file, record.line, _ragged(len(record.cells), len(names))))
        else:
            rows.append(Row(record.line, record.cells))
            if delimiter and swallows_rows(record, delimiter, len(names)):
                swallowing.append(record)
    kept, quirks = _named_columns(names, rows)
    quirks += [Quirk("swallowed-rows", _swallowed(record) + advice) for record in swallowing]
    header = tuple(name for name in names if name)
    return Table(header, tuple(kept), delimiter, head.line, blank, tuple(quirks), tuple(problems))


def _header(head: Record, file: str) -> tuple[str, ...]:
    """Return the names of the columns, empty for one without a name."""
    if head.fault:
        raise InputError(f"{file} is no table", [Problem(file, head.line, head.fault)])
    names = tuple(name.strip("\ufeff").strip() for name in head.cells)
    twice = [(name, count) for name, count in Counter(names).items() if name and count > 1]
    if twice:
        problems = [
            Problem(file, head.line, f"column {name!r} appears {count} times") for name, count in twice
        ]
        raise InputError(f"{file} repeats a column", problems)
    return names


def _named_columns(names: Sequence[str], rows: list[Row]) -> tuple[list[Row], list[Quirk]]:
    """Return the rows without the columns that have no name, for nobody could ask for them."""
    if all(names):
        return rows, []
    places = [place for place, name in enumerate(names) if name]
    unnamed = [place for place, name in enumerate(names) if not name]
    filled = sum(any(row.cells[place].strip() for row in rows) for place in unnamed)
    kept = [Row(row.line, tuple(row.cells[place] for place in places)) for row in rows]
    what = f"{filled} with text in it" if filled else "all empty"
    return kept, [Quirk("unnamed-columns", f"columns without a name passed over ({len(unnamed)}, {what})")]


def _is_blank(cells: Sequence[str]) -> bool:
    return not any(cell.strip() for cell in cells)


def _ragged(cells: int, width: int) -> str:
    more = "; a cell that holds the separator needs quotation marks" if cells > width else ""
    return f"{cells} cells, the header has {width}{more}"


def _swallowed(record: Record) -> str:
    return (
        f"lines {record.line} to {record.last_line} were read as one row, for a quotation mark opens on line "
        f"{record.line} and closes on line {record.last_line}"
    )
