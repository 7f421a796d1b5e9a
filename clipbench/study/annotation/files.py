"""Label files to entries: CSV, TSV, XLSX and JSON, whatever a spreadsheet made of them. Matches nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from clipbench.datasets.textfile import parse_json
from clipbench.errors import DatasetError, InputError, Problem
from clipbench.failures.exchange import (
    ANNOTATOR,
    CLASSIC,
    COLUMNS,
    SOURCE_FILE,
    Entry,
    entry,
    missing_columns,
)
from clipbench.foreign_files import read_foreign
from clipbench.keys import bytes_digest
from clipbench.study.annotation.exchange_json import json_entries
from clipbench.study.annotation.spreadsheet import read_sheet
from clipbench.tabular.table import Table, parse_table
from clipbench.tabular.text import decode_text

LARGEST = 64 * 1024 * 1024
"""Bytes of a label file; ten thousand labels take about one million."""

HALF = re.compile("[\ud800-\udfff]")

PACKED = b"PK\x03\x04"
"""How an Excel file begins, whatever it is called."""


@dataclass(frozen=True)
class LabelFile:
    """A label file that was read: its rows, what was remarkable about it, and everything wrong with it.

    who: the column that says of each row who labelled it, "" where none does.
    """

    path: Path
    kind: str
    digest: str
    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    who: str = ""


def read_labels(path: Path) -> LabelFile:
    """Return what a label file holds, by its ending and content.

    Raises DatasetError where there is no such file, InputError where nothing of it can be read,
    ClipbenchError where openpyxl is lacking for .xlsx.
    """
    data = read_foreign(path, LARGEST, error=DatasetError)
    suffix, digest = path.suffix.lower(), bytes_digest(data)
    if suffix in {".xlsx", ".xlsm", ".xls"} or data.startswith(PACKED):
        table = read_sheet(path, data)
        return _labels(path, "xlsx", digest, table)
    if suffix == ".json" or data.lstrip()[:1] in (b"{", b"["):
        kind, entries, problems = json_entries(parse_json(decode_text(data, str(path)).text, path), path)
        halves = [entry for entry in entries if _is_half(entry)]
        problems += [Problem(str(path), 0, f"{one.where}: holds half a surrogate pair") for one in halves]
        kept = tuple(entry for entry in entries if entry not in halves)
        return LabelFile(path, kind, digest, kept, (), tuple(problems))
    table = parse_table(data, str(path), known=lambda header: not missing_columns(_columns(header)))
    return _labels(path, "tsv" if suffix == ".tsv" else "csv", digest, table)


def _labels(path: Path, kind: str, digest: str, table: Table) -> LabelFile:
    """Return the rows of a table. Raises InputError where its header does not tell what they are."""
    header = _columns(table.header)
    if twice := [
        name
        for name, count in Counter(header).items()
        if count > 1 and name in {*COLUMNS, ANNOTATOR, SOURCE_FILE}
    ]:
        message = f"several columns are called {', '.join(twice)}, upper and lower case aside"
        raise InputError(f"{path} repeats a column", [Problem(str(path), table.header_line, message)])
    if lacking := missing_columns(header):
        message = (
            f"no column {', '.join(lacking)} among: {', '.join(header)}; {', '.join(CLASSIC)} are expected"
        )
        raise InputError(f"{path} is no label file", [Problem(str(path), table.header_line, message)])
    entries = tuple(entry(row.line, dict(zip(header, row.cells, strict=True))) for row in table.rows)
    who = next((name for name in (ANNOTATOR, SOURCE_FILE) if name in header), "")
    quirks = tuple(quirk.message for quirk in table.quirks)
    return LabelFile(path, kind, digest, entries, quirks, table.problems, who)


def _is_half(label: Entry) -> bool:
    """Whether a text of a label holds half a surrogate pair: JSON can write one, and no encoding takes it."""
    return any(HALF.search(text) for text in astuple(label) if isinstance(text, str))


def _columns(header: Sequence[str]) -> list[str]:
    return [name.casefold() for name in header]
