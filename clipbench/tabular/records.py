"""A text to its records: what separates the cells, where each record begins, and what does not parse."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from clipbench.tabular.text import split_lines

Quoting: TypeAlias = Literal["csv", "none"]
"""csv: RFC 4180, strictly. none: quotation marks are plain characters and every line is a record."""

Header: TypeAlias = Sequence[str]

DELIMITERS = (",", ";", "\t", "|")
DELIMITER_LINE = re.compile(r'"?sep=([^"\r\n])"?\s*', re.IGNORECASE)
"""The first line by which Excel is told what separates the columns."""


@dataclass(frozen=True, slots=True)
class Record:
    """The cells of one record and its lines, 1-based; more than one where quotation marks hold a line end.

    fault: why it does not parse, else empty.
    """

    line: int
    last_line: int
    cells: tuple[str, ...]
    fault: str = ""


def find_delimiter(text: str, known: Callable[[Header], bool] | None = None) -> tuple[str, bool]:
    r"""Return what separates the cells of a table, and whether a first line `sep=` says so.

    Else it is told by the first line with text: of the separators that give a header `known` says yes to
    (of all, where there is none), the one that gives most columns, a comma where several do.

    >>> find_delimiter("a;b,c;d\n"), find_delimiter("sep=|\na;b\n"), find_delimiter("word\n")
    ((';', False), ('|', True), (',', False))
    """
    lines = (line.strip("\ufeff") for line in split_lines(text) if line.strip("\ufeff \t\v\f"))
    first = next(lines, "")
    if said := DELIMITER_LINE.fullmatch(first):
        return said[1], True
    headers = {delimiter: header_cells(first, delimiter) for delimiter in DELIMITERS}
    accepted = [mark for mark, header in headers.items() if known is not None and known(header)]
    return max(accepted or DELIMITERS, key=lambda mark: len(headers[mark])), False


def header_cells(line: str, delimiter: str) -> tuple[str, ...]:
    """Return the names in a header line, blanks around them removed."""
    try:
        return tuple(name.strip() for name in next(csv.reader([line], delimiter=delimiter), []))
    except csv.Error:  # a name longer than any field may be
        return ()


def records(text: str, delimiter: str, quoting: Quoting = "csv", advice: str = "") -> Iterator[Record]:
    """Yield every record with its lines; one that does not parse with its fault, and the next one after it.

    advice: completes the faults that plain quotation marks can cause, where the user can say that they are.
    """
    if quoting == "none":
        for number, plain in enumerate(split_lines(text), start=1):
            yield Record(number, number, tuple(plain.split(delimiter)))
        return
    if "\n" not in text:
        text = text.replace("\r", "\n")
    # Lines end at \n alone: a stray \r is then a fault of its record and not the end of it.
    reader = csv.reader(_lines(text), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Record(line, reader.line_num, (), _fault(error, line, reader.line_num) + advice)
        else:
            yield Record(line, reader.line_num, tuple(cells))


def _lines(text: str) -> Iterator[str]:
    """Yield lines with their ends. A StringIO would, from a copy of four bytes a character."""
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def swallows_rows(record: Record, delimiter: str, width: int) -> bool:
    """Return whether the lines inside a record's quotation marks look like rows of the table themselves."""
    if record.line == record.last_line or width < 2:
        return False
    inner = [line for cell in record.cells if "\n" in cell for line in cell.split("\n")[1:]]
    # The last line was cut where the quotation marks end, so that alone it needs not be a whole row.
    whole = inner[:-1] or inner
    return bool(inner) and all(line.count(delimiter) >= width - 1 for line in whole)


def _fault(error: csv.Error, line: int, last_line: int) -> str:
    message = str(error)
    if "new-line character" in message:
        return "a carriage return in the middle of the line, outside quotation marks"
    if message == "unexpected end of data":
        message = "a quotation mark opens here and is never closed"
    elif message.startswith("field larger"):
        message = (
            f"a quotation mark opens here and is not closed within {csv.field_size_limit():,} characters"
        )
    over = f", lines {line} to {last_line} are lost" if last_line > line else ""
    return f"not valid CSV: {message}{over}"
