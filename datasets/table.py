"""Tables: CSV, TSV and Parquet with an image and a caption column, and optional ids and split.

CSV follows RFC 4180 strictly; where quotation marks are plain characters, `quoting="none"` says so. A wrong guess
would change texts, so a line that does not parse is a problem and never repaired.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from clipbench.datasets.fields import FieldError, Roles, own_numbers, roles, rows_of
from clipbench.datasets.rows import Columns, Note, Parsed, ReadRequest, Row, plural
from clipbench.datasets.textfile import read_bytes, read_text, split_lines
from clipbench.errors import DatasetError, InputError, Problem

DELIMITERS = (",", "\t", ";", "|")


def parse(request: ReadRequest) -> Parsed:
    """Return the rows of a CSV or TSV file with a header line.

    The delimiter is the one of , tab ; | under which the header has an image and a caption column.
    Raises InputError (no text, no such columns) and DatasetError (no file).
    """
    path = request.captions
    text = read_text(path)
    delimiter, header, names = _header(path, text, request.columns)
    rows: list[Row] = []
    problems: list[Problem] = []
    blank = 0
    for place, (number, cells) in enumerate(_records(text, delimiter, strict=request.quoting == "csv")):
        if isinstance(cells, str):
            problems.append(Problem(str(path), number, cells))
        elif place == 0:
            continue
        elif not any(cell.strip() for cell in cells):
            blank += 1
        elif len(cells) != len(header):
            problems.append(Problem(str(path), number, f"{len(cells)} cells, the header has {len(header)}"))
        else:
            try:
                rows += rows_of(_filled(dict(zip(header, cells, strict=True)), names), names, number)
            except FieldError as error:
                problems.append(Problem(str(path), number, str(error)))
    notes = (Note("blank-lines", blank, f"{plural(blank, 'blank line')} passed over"),) if blank else ()
    return Parsed(tuple(own_numbers(rows)), notes, tuple(problems))


def parse_parquet(request: ReadRequest) -> Parsed:
    """Return the rows of a Parquet file, one per table row; a caption column of lists gives several.

    Raises DatasetError where pyarrow is not installed, InputError where the file is no Parquet.
    """
    path = request.captions
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise DatasetError(
            "Parquet needs pyarrow, which is not installed", "pip install clipbench[parquet]"
        ) from error
    data = read_bytes(path)
    try:
        file = parquet.ParquetFile(io.BytesIO(data))
        present = list(file.schema_arrow.names)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path} is no Parquet file", [Problem(str(path), 0, _one_line(error))]) from error
    try:
        names = roles(request.columns, present)
    except FieldError as error:
        hint = "name the columns: --image-column NAME --caption-column NAME"
        raise InputError(f"{path} lacks a column", [Problem(str(path), 0, str(error))], hint) from error
    wanted = [
        n
        for n in (names.image, names.caption, names.image_id, names.caption_id, names.split)
        if n is not None
    ]
    rows: list[Row] = []
    problems: list[Problem] = []
    number = 0
    try:
        for batch in file.iter_batches(columns=wanted):
            for value in batch.to_pylist():
                number += 1
                try:
                    rows += rows_of(value, names, number)
                except FieldError as error:
                    problems.append(Problem(str(path), number, f"row {number}: {error}"))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path} is damaged", [Problem(str(path), number, _one_line(error))]) from error
    return Parsed(tuple(own_numbers(rows)), (), tuple(problems))


def header_names(line: str) -> tuple[str, ...]:
    """Return the column names of a header line, split at the delimiter that shows an image and a caption column.

    Empty where no delimiter does. For format detection; `parse` explains what is missing.
    """
    for delimiter in DELIMITERS:
        names = _cells(line, delimiter)
        try:
            roles(Columns(), names)
        except FieldError:
            continue
        return tuple(names)
    return ()


def _header(path: Path, text: str, columns: Columns) -> tuple[str, list[str], Roles]:
    lines = split_lines(text)
    faults: list[tuple[int, FieldError]] = []
    for delimiter in DELIMITERS:
        header = _cells(lines[0], delimiter)
        try:
            names = roles(columns, header)
        except FieldError as error:
            faults.append((-len(header), error))
            continue
        if repeated := sorted({name for name in header if header.count(name) > 1}):
            found = Problem(str(path), 1, f"column {repeated[0]!r} appears {header.count(repeated[0])} times")
            raise InputError(f"{path} repeats a column", [found])
        return delimiter, header, names
    _, likeliest = min(faults, key=lambda fault: fault[0])
    hint = "the first line must name the columns; choose them with --image-column NAME --caption-column NAME"
    raise InputError(f"{path} lacks a column", [Problem(str(path), 1, str(likeliest))], hint)


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return []


def _records(text: str, delimiter: str, *, strict: bool) -> Iterator[tuple[int, Sequence[str] | str]]:
    """Yield first line and cells of every record, or first line and message where it does not parse."""
    if not strict:
        yield from ((n, line.split(delimiter)) for n, line in enumerate(split_lines(text), start=1))
        return
    if "\n" not in text:
        text = text.replace("\r", "\n")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            yield line, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, f"not valid CSV: {error} (if quotation marks are plain characters: --quoting none)"


def _filled(cells: dict[str, str], names: Roles) -> dict[str, object]:
    """An empty cell of an id is a missing id; an empty caption is an empty caption."""
    return {name: value if value or name == names.caption else None for name, value in cells.items()}


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
