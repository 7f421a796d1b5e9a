"""Excel files to rows of text, as their first sheet shows them. Knows nothing of what the columns mean.

What a table of text cannot hold is told, never guessed: merged cells and formulas without a value are
problems, further sheets a note. Files that would unpack to far more than a label file, or that bring a
document type of their own (external entities, entity bombs), are refused before anything is parsed.
"""

from __future__ import annotations

import io
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError, fromstring

from clipbench.errors import ClipbenchError, InputError, Problem

WIDEST = 64
"""Columns that are read; a cell far to the right would else widen every row."""

MOST_ROWS = 100_000
"""A stray cell at the very bottom would else make a million rows."""

OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How .xls files begin, and encrypted ones of either kind."""

DOCUMENT_TYPE = tuple("<!DOCTYPE".encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be"))
"""No program writes one into a spreadsheet."""

MERGED = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]*?ref=[\"']([A-Z]+)(\d+):([A-Z]+)(\d+)[\"']")

BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    ParseError,
    KeyError,
    ValueError,
    TypeError,
    IndexError,
    AttributeError,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
)
"""What openpyxl and zipfile raise for files that are damaged, encrypted or not what they seem."""


@dataclass(frozen=True)
class Sheet:
    """The first sheet of a file. rows: (row number, cells), all equally long; what was remarkable or wrong."""

    rows: Sequence[tuple[int, list[str]]]
    notes: tuple[str, ...]
    problems: tuple[Problem, ...]


def read_sheet(path: Path, data: bytes, largest: int) -> Sheet:
    """Return the first sheet of an Excel file that unpacks to `largest` bytes at most.

    Raises InputError for what is no such file, ClipbenchError where openpyxl is lacking.
    """
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise ClipbenchError(
            f"reading {path.name} needs openpyxl", "pip install 'clipbench[annotate]', or save it as CSV"
        ) from None
    if data.startswith(OLD):
        raise refused(path, "is an Excel file of the old kind (.xls) or encrypted; save it as .xlsx or CSV")
    try:
        merged = _checked(path, data, largest)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and validations, which openpyxl leaves aside as we do
            # Twice: as it is shown, and with its formulas, for those whose value the file does not hold.
            books = [
                load_workbook(io.BytesIO(data), read_only=True, data_only=shown) for shown in (True, False)
            ]
            sheets = [book.worksheets[0] for book in books]
            return _read(path, sheets, [sheet.title for sheet in books[0].worksheets], merged)
    except BROKEN as error:
        raise refused(path, f"is no Excel file that can be read ({error}); save it as CSV") from error


def refused(path: Path, message: str) -> InputError:
    """Return the error of a file that cannot be read at all."""
    return InputError(f"{path} holds no labels that can be read", [Problem(str(path), 0, message)])


def _checked(path: Path, data: bytes, largest: int) -> list[tuple[int, str]]:
    """Return merged cells of the first sheet as (first row, range). Raises InputError for a hostile file."""
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        size = sum(member.file_size for member in packed.infolist())
        if size > largest:
            raise refused(path, f"unpacks to {size:,} bytes, a label file has at most {largest:,}")
        for member in packed.infolist():
            text = packed.read(member)  # never more than the size it declares
            if any(mark in text for mark in DOCUMENT_TYPE):
                raise refused(path, f"holds a document type of its own ({member.filename}): it is not read")
        found = MERGED.findall(packed.read(_first_sheet(packed)))
    several = [
        (int(top), f"{a.decode()}{int(top)}:{b.decode()}{int(end)}") for a, top, b, end in found if top != end
    ]
    return sorted(several)


def _first_sheet(packed: zipfile.ZipFile) -> str:
    """Return the name of the part that holds the first sheet of cells. Raises KeyError where there is none."""
    book = fromstring(packed.read("xl/workbook.xml"))  # noqa: S314, checked for document types before
    links = fromstring(packed.read("xl/_rels/workbook.xml.rels"))  # noqa: S314, likewise
    targets = {link.get("Id"): link for link in links}
    for sheet in book.iter():
        if sheet.tag.rpartition("}")[2] != "sheet":
            continue
        link = targets.get(next((v for k, v in sheet.items() if k.endswith("}id")), None))
        if link is not None and str(link.get("Type")).endswith("/worksheet"):
            target = str(link.get("Target"))
            return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
    raise KeyError("it has no sheet of cells")


def _read(path: Path, sheets: Sequence[Any], titles: list[str], merged: list[tuple[int, str]]) -> Sheet:
    """Return the rows of one sheet, given with values and with formulas."""
    rows: list[tuple[int, list[str]]] = []
    formulas = 0
    problems = [
        Problem(
            str(path),
            row,
            f"the cells {cells} are merged: only the first row would have a label; unmerge them",
        )
        for row, cells in merged
    ]
    for number, (shown, written) in enumerate(zip(*map(_values, sheets), strict=True), start=1):
        if number > MOST_ROWS:
            raise refused(path, f"reaches below row {MOST_ROWS:,}; delete what is far below the labels")
        for value, formula in zip(shown, written, strict=True):
            if isinstance(formula, str) and formula.startswith("=") and value != formula:
                formulas += 1
                if value is None:
                    message = f"the formula {formula[:60]!r} has no value in the file: open and save it, or write the value"
                    problems.append(Problem(str(path), number, message))
        cells = [_cell(value) for value in shown]
        while cells and not cells[-1].strip():
            cells.pop()
        if cells:
            rows.append((number, cells))
    width = max((len(cells) for _, cells in rows), default=0)
    notes = []
    if len(titles) > 1:
        notes.append(f"only the first of {len(titles)} sheets was read: {titles[0]}")
    if formulas:
        notes.append(f"formulas, taken as they were last shown ({formulas})")
    padded = [(number, cells + [""] * (width - len(cells))) for number, cells in rows]
    return Sheet(padded, tuple(notes), tuple(problems))


def _values(sheet: Any) -> Iterator[tuple[object, ...]]:
    sheet.reset_dimensions()  # what a file says of its size need not be so
    found: Iterator[tuple[object, ...]] = sheet.iter_rows(max_col=WIDEST, values_only=True)
    return found


def _cell(value: object) -> str:
    """Return a spreadsheet's value as the text it shows: whole numbers without a point, nothing as empty."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
