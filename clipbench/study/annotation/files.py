"""Label files to entries: CSV, TSV, XLSX and JSON, whatever a spreadsheet made of them. Matches nothing.

Every quirk that was met on the way (line ends, a byte order mark, another delimiter) is a note; what
cannot be read is a problem with its line.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clipbench.datasets.textfile import parse_json, read_bytes, read_text
from clipbench.errors import InputError, Problem
from clipbench.failures.exchange import CLASSIC, COLUMNS, Entry, entry, missing_columns
from clipbench.keys import bytes_digest
from clipbench.study.annotation.exchange_json import json_entries
from clipbench.study.annotation.spreadsheet import read_sheet, refused

LARGEST = 64 * 1024 * 1024
"""Bytes of a label file, packed or unpacked; ten thousand labels take about one million."""

PACKED = b"PK\x03\x04"
"""How an Excel file begins, whatever it is called."""

DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True)
class LabelFile:
    """A label file that was read: its rows, what was remarkable about it, and everything wrong with it."""

    path: Path
    kind: str
    digest: str
    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def read_labels(path: Path) -> LabelFile:
    """Return what a label file holds, by its ending and content.

    Raises DatasetError where there is no such file, InputError where nothing of it can be read,
    ClipbenchError where openpyxl is lacking for .xlsx.
    """
    data = read_bytes(path)
    if len(data) > LARGEST:
        raise refused(path, f"has {len(data):,} bytes, a label file at most {LARGEST:,}")
    suffix = path.suffix.lower()
    notes: tuple[str, ...] = ()
    if suffix in {".xlsx", ".xlsm", ".xls"} or data.startswith(PACKED):
        kind, sheet = "xlsx", read_sheet(path, data, LARGEST)
        entries, problems = _from_cells(path, sheet.rows)
        notes, problems = sheet.notes, [*sheet.problems, *problems]
    elif suffix == ".json" or data.lstrip()[:1] in (b"{", b"["):
        text = read_text(path)
        kind, entries, problems = json_entries(parse_json(text, path), path)
    else:
        text = read_text(path)
        kind, notes = ("tsv" if suffix == ".tsv" else "csv"), _quirks(data, text)
        entries, problems = _from_cells(path, _table(path, text))
    return LabelFile(path, kind, bytes_digest(data), tuple(entries), notes, tuple(problems))


def _quirks(data: bytes, text: str) -> tuple[str, ...]:
    found = []
    if data.startswith(b"\xef\xbb\xbf"):
        found.append("a byte order mark")
    if "\r\n" in text:
        found.append("line ends as on Windows (CRLF)")
    if not text.endswith(("\n", "\r")):
        found.append("no line end after the last row")
    delimiter = _delimiter(text)
    if delimiter != ",":
        found.append(f"columns separated by {'tabs' if delimiter == chr(9) else delimiter}")
    return tuple(found)


def _delimiter(text: str) -> str:
    """Return what separates the columns: whichever occurs most in the first line, a comma where tied."""
    head = text.lstrip("\r\n").partition("\n")[0]
    return max(DELIMITERS, key=head.count)


def _table(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (first line, cells) of every record. Raises InputError where quotation marks do not close."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    start = 1
    try:
        for cells in reader:
            yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"{path} is no table", [Problem(str(path), start, f"not CSV from here on: {error}")]
        ) from error


def _from_cells(path: Path, records: Iterable[tuple[int, list[str]]]) -> tuple[list[Entry], list[Problem]]:
    """Return the rows below the header. Raises InputError where the header does not tell what they are."""
    rows = iter(records)
    header_line, head = next(((line, cells) for line, cells in rows if any(map(str.strip, cells))), (0, []))
    header = [name.strip().casefold() for name in head]
    lacking = missing_columns(header)
    if lacking:
        found = ", ".join(name for name in header if name) or "nothing"
        message = f"no column {', '.join(lacking)} among: {found}; {', '.join(CLASSIC)} are expected"
        raise InputError(f"{path} is no label file", [Problem(str(path), header_line, message)])
    twice = sorted({name for name in header if name in COLUMNS and header.count(name) > 1})
    if twice:
        message = f"the column {', '.join(twice)} comes twice"
        raise InputError(f"{path} is no label file", [Problem(str(path), header_line, message)])
    return _below(path, header, rows)


def _below(
    path: Path, header: Sequence[str], rows: Iterable[tuple[int, list[str]]]
) -> tuple[list[Entry], list[Problem]]:
    entries: list[Entry] = []
    problems: list[Problem] = []
    for line, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            message = f"{len(cells)} cells, the header names {len(header)} columns"
            more = "; a caption with a comma needs quotation marks" if len(cells) > len(header) else ""
            problems.append(Problem(str(path), line, message + more))
            continue
        entries.append(entry(line, dict(zip(header, cells, strict=True))))
    return entries, problems
