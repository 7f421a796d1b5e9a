"""Excel files to tables, as their first sheet shows them. Knows nothing of what the columns mean.

What a table of text cannot hold is told, never guessed: merged cells and formulas without a value are
problems, further sheets a quirk. openpyxl reads the parts, defusedxml refuses entities in them, and both see
a file only after its size and its number of elements were found to be those of a table that people fill in.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

from clipbench.errors import ClipbenchError, InputError, Problem
from clipbench.foreign_files import reason
from clipbench.tabular.records import Record
from clipbench.tabular.table import Table, table_of
from clipbench.tabular.text import Quirk

UNPACKED = 64 * 1024 * 1024
"""Bytes that a file may unpack to, pictures included."""

WIDEST, MOST_ROWS = 64, 100_000
"""Columns that are read, and rows that may be there: a stray cell far away would else widen every row."""

MOST_CELLS, MOST_OTHERS = 500_000, 20_000
"""XML elements of cells (a row of labels has some 25), and of all else: styles, merged cells, names.

An element of a few packed bytes takes up to a kilobyte and, as a style, 40 µs once it is unpacked and read.
"""

LONGEST = 1 << 20
"""Bytes without any element; Excel holds 32,767 characters in a cell."""

OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How .xls files begin, and encrypted ones of either kind."""

XML_STARTS, JPEG = (b"<", b" ", b"\t", b"\r", b"\n", b"\0", b"\xef", b"\xfe", b"\xff"), b"\xff\xd8"
"""How XML may begin in any encoding, and pictures that begin likewise."""

CELL_ELEMENT = re.compile(rb"<(?:\w{1,20}:)?(?:row|c|v|is|si|t)[\s/>]")
ESCAPED = re.compile(r"_x((?![dD][89a-fA-F])[0-9a-fA-F]{4})_")
"""A character that XML cannot hold, as Excel writes it; halves of characters stay as they are."""

Cell: TypeAlias = Mapping[str, Any]
"""openpyxl's: row, column, value; and formula, None where there is none."""


@dataclass(frozen=True)
class _Sheet:
    """An open sheet: its title, how many there are, and openpyxl's parser of it."""

    title: str
    count: int
    parser: Any


def read_sheet(path: Path, data: bytes) -> Table:
    """Return the first sheet of an Excel file; everything remarkable or wrong stands in the table.

    Raises InputError for what is no such file or too much, ClipbenchError where openpyxl is lacking.
    """
    try:
        import defusedxml  # noqa: F401, openpyxl uses it where it is there, and says nothing where it is not
        import openpyxl  # noqa: F401, as the first to fail
    except ImportError:
        raise ClipbenchError(
            f"reading {path.name} needs openpyxl and defusedxml",
            "pip install 'clipbench[annotate]', or save it as CSV",
        ) from None
    if data.startswith(OLD):
        raise _refused(path, "is an Excel file of the old kind (.xls) or encrypted; save it as .xlsx or CSV")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and validations, which openpyxl leaves aside as we do
            _check_size(path, packed)
            return _table(path, _open_sheet(data))
    except ClipbenchError:
        raise
    except Exception as damaged:
        # openpyxl and zipfile raise whatever they meet: KeyError, TypeError, AttributeError, zlib.error …
        raise _refused(
            path, f"is no Excel file that can be read ({reason(damaged)}); save it as CSV"
        ) from damaged


def _refused(path: Path, message: str) -> InputError:
    return InputError(f"{path} holds no labels that can be read", [Problem(str(path), 0, message)])


def _check_size(path: Path, packed: zipfile.ZipFile) -> None:
    """Raise InputError for a file that unpacks to more than a table that people fill in."""
    size = sum(member.file_size for member in packed.infolist())
    if size > UNPACKED:
        raise _refused(path, f"unpacks to {size:,} bytes, at most {UNPACKED:,} are read")
    cells = others = 0
    for member in packed.infolist():
        with packed.open(member) as part:
            chunk = part.read(LONGEST)
            if not chunk.startswith(XML_STARTS) or chunk.startswith(JPEG):
                continue  # a picture, or empty: nothing that a parser of XML would take
            for piece in chain([chunk], iter(partial(part.read, LONGEST), b"")):
                if len(piece) == LONGEST and b"<" not in piece:
                    raise _refused(path, f"holds a text of more than {LONGEST:,} bytes ({member.filename})")
                found = len(CELL_ELEMENT.findall(piece))
                cells += found
                others += piece.count(b"<") - piece.count(b"</") - found
                if cells > MOST_CELLS or others > MOST_OTHERS:
                    raise _refused(
                        path,
                        f"holds more than {MOST_CELLS:,} cells or {MOST_OTHERS:,} styles, merged cells and "
                        "the like; copy the labels into a new file",
                    )


def _open_sheet(data: bytes) -> _Sheet:
    """Return the first sheet of cells, nothing of it read. Raises KeyError where there is none."""
    # Not load_workbook: it reads every sheet to find its size, and drops the escape of escapes.
    from openpyxl.cell.text import Text
    from openpyxl.reader.excel import ExcelReader
    from openpyxl.styles.stylesheet import apply_stylesheet
    from openpyxl.xml.constants import SHARED_STRINGS, SHEET_MAIN_NS
    from openpyxl.xml.functions import iterparse

    reader = ExcelReader(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
    reader.read_manifest()
    reader.read_workbook()
    apply_stylesheet(reader.archive, reader.wb)
    strings: list[str] = []
    if (part := reader.package.find(SHARED_STRINGS)) is not None:
        with reader.archive.open(part.PartName[1:]) as source:
            for _, node in iterparse(source):
                if node.tag == f"{{{SHEET_MAIN_NS}}}si":
                    strings.append(Text.from_tree(node).content)
                    node.clear()
    sheets = [
        (sheet.name, link.target) for sheet, link in reader.parser.find_sheets() if "/worksheet" in link.Type
    ]
    if not sheets:
        raise ValueError("it has no sheet of cells")
    title, part = sheets[0]
    return _Sheet(title, len(sheets), _parser(reader, part, strings))


def _parser(reader: Any, part: str, strings: Sequence[str]) -> Any:
    """Return openpyxl's parser of a sheet, whose cells say their formula besides the value last shown."""
    from openpyxl.worksheet._reader import FORMULA_TAG, WorkSheetParser

    class Parser(WorkSheetParser):  # type: ignore[misc]  # openpyxl has no types
        def parse_cell(self, element: Any) -> dict[str, Any]:
            formula = element.find(FORMULA_TAG)
            cell: dict[str, Any] = super().parse_cell(element)
            return cell | {"formula": None if formula is None else f"={formula.text or ''}"}

    return Parser(
        reader.archive.open(part),
        strings,
        data_only=True,
        epoch=reader.wb.epoch,
        date_formats=reader.wb._date_formats,  # noqa: SLF001, what its own reader hands over here
        timedelta_formats=reader.wb._timedelta_formats,  # noqa: SLF001, likewise
    )


def _table(path: Path, sheet: _Sheet) -> Table:
    rows: list[tuple[int, list[str]]] = []
    problems: list[Problem] = []
    formulas = 0
    for number, row in sheet.parser.parse():
        if number > MOST_ROWS:
            raise _refused(path, f"reaches below row {MOST_ROWS:,}; delete what is far below the labels")
        cells = [cell for cell in row if cell["column"] <= WIDEST]
        rows.append((number, _texts(cells)))
        for cell in cells:
            formulas += cell["formula"] is not None
            if cell["formula"] is not None and cell["value"] is None:
                message = f"the formula {cell['formula'][:60]!r} has no value in the file: open and save it, or write the value"
                problems.append(Problem(str(path), number, message))
    merged = [Problem(str(path), line, message) for line, message in _merged(sheet.parser)]
    width = max((len(texts) for _, texts in rows), default=0)
    table = table_of(
        (Record(number, number, (*texts, *[""] * (width - len(texts)))) for number, texts in rows), str(path)
    )
    quirks = list(table.quirks)
    if sheet.count > 1:
        quirks.append(Quirk("sheets", f"only the first of {sheet.count} sheets was read: {sheet.title}"))
    if formulas:
        quirks.append(Quirk("formulas", f"formulas, taken as they were last shown ({formulas})"))
    return replace(table, quirks=tuple(quirks), problems=(*merged, *problems, *table.problems))


def _texts(cells: Sequence[Cell]) -> list[str]:
    """Return the texts of a row's cells, each in its column, up to the last one that is not blank."""
    shown = {cell["column"]: text for cell in cells if (text := _text(cell["value"])).strip()}
    return [shown.get(column, "") for column in range(1, max(shown, default=0) + 1)]


def _text(value: object) -> str:
    """Return a cell's value as the text it shows: whole numbers without a point, nothing as empty.

    A line break of Windows is one line break, which Excel writes as `_x000D_` and another.
    """
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if not isinstance(value, str):
        return str(value)
    return ESCAPED.sub(lambda found: chr(int(found[1], 16)), value).replace("\r\n", "\n")


def _merged(parser: Any) -> Iterator[tuple[int, str]]:
    """Yield first row and message of cells that were merged over several rows, of a sheet that was read."""
    from openpyxl.utils import range_boundaries

    areas = parser.merged_cells.mergeCell if parser.merged_cells is not None else ()
    for area in sorted(areas, key=lambda area: range_boundaries(area.ref)[1]):
        _, top, _, bottom = range_boundaries(area.ref)
        if top != bottom:
            yield (
                top,
                f"the cells {area.ref} are merged: only the first row would have a label; unmerge them",
            )
