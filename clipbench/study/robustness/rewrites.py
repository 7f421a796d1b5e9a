"""Captions that the user rewrote, from CSV, TSV or JSON lines: caption id to new text, exactly as written.

The file must say something about every caption of the dataset and nothing about others; where it repeats
the original captions, they must be the dataset's. All problems are shown together, with their lines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clipbench.datasets.listing import alone, spelling, visible
from clipbench.datasets.textfile import json_fault, read_text
from clipbench.errors import ClipbenchError, InputError, Problem
from clipbench.failures.exchange import unguarded
from clipbench.perturb.resources import Rewrites
from clipbench.records import Dataset
from clipbench.tabular.table import read_table
from clipbench.tabular.text import split_lines
from clipbench.wording import plural

ID, TEXT, ORIGINAL = "caption_id", "text", "original"
EXPORTED = frozenset((ID, TEXT, ORIGINAL, "operation", "level", "seed"))
"""Columns of the table that `robustness export` writes."""

TABLES = (".csv", ".tsv")
LINES = (".jsonl", ".ndjson")
SUFFIXES = (*TABLES, *LINES)
HALF = re.compile("[\ud800-\udfff]")
"""Half a surrogate pair: JSON can write one, and no encoding takes it."""


@dataclass(frozen=True, slots=True)
class _Row:
    """What one record says, or `fault`: what is wrong with it."""

    line: int
    cells: Mapping[str, str]
    fault: str = ""


def read_rewrites(files: Sequence[Path], labels: Sequence[str], dataset: Dataset) -> tuple[Rewrites, ...]:
    """Return the rewrites in each file, called by its label, or by the file's name where none are given.

    Raises InputError with every problem of all files, and ClipbenchError for labels that do not fit.
    """
    names = list(labels) or [path.stem for path in files]
    if len(names) != len(files):
        raise ClipbenchError(
            f"{plural(len(names), 'label')} for {plural(len(files), 'file')}",
            "as many --label as --from-file, in the same order",
        )
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ClipbenchError(f"two files are called {twice[0]!r}", "--label tells them apart")
    found: list[Rewrites] = []
    problems: list[Problem] = []
    for path, name in zip(files, names, strict=True):
        texts, wrong = _texts(path, dataset)
        found.append(Rewrites(name, texts))
        problems += wrong
    if problems:
        what = f"the rewrites of {len(dataset.captions):,} captions of {dataset.name}"
        raise InputError(what, problems, f"clipbench robustness export {dataset.name} shows the form")
    return tuple(found)


def _texts(path: Path, dataset: Dataset) -> tuple[dict[str, str], list[Problem]]:
    """Return caption id to rewrite, and what is wrong with the file."""
    wanted = {caption.id: caption.text for caption in dataset.captions}
    spelt = alone(wanted)
    seen: dict[str, int] = {}
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    for row in _rows(path):
        fault = row.fault or _fault(row.cells, wanted, spelt, seen)
        if fault:
            problems.append(Problem(str(path), row.line, fault))
        if not row.fault:
            seen.setdefault(row.cells[ID], row.line)
            texts.setdefault(row.cells[ID], row.cells[TEXT])
    absent = [id_ for id_ in wanted if id_ not in seen]
    problems += [Problem(str(path), 0, f"caption {id_} has no rewrite") for id_ in absent]
    return texts, problems


def _fault(
    cells: Mapping[str, str], wanted: Mapping[str, str], spelt: Mapping[str, str], seen: Mapping[str, int]
) -> str:
    id_ = cells[ID]
    if id_ in seen:
        return f"caption {id_} was rewritten on line {seen[id_]} already"
    if id_ not in wanted:
        near = spelt.get(spelling(id_))
        return f"the dataset has no caption {visible(id_, near or '')}" + (
            f"; it has {visible(near, id_)}" if near else ""
        )
    if HALF.search(cells[TEXT]) or not cells[TEXT].strip():
        fault = "holds half a surrogate pair" if cells[TEXT].strip() else "is blank"
        return f"the rewrite of caption {id_} {fault}"
    original = cells.get(ORIGINAL)
    if original is None or original == wanted[id_]:
        return ""
    if original == "'" + wanted[id_]:
        return f"caption {id_} was changed for spreadsheets; the .jsonl beside this file is exact"
    return f"caption {id_} is another one: {original[:40]!r}, the dataset has {wanted[id_][:40]!r}"


def _rows(path: Path) -> Iterator[_Row]:
    suffix = path.suffix.lower()
    if suffix in LINES:
        return _json_rows(path)
    if suffix in TABLES:
        return _table_rows(path)
    raise ClipbenchError(f"{path} is no file of rewrites", f"a file that ends in {', '.join(SUFFIXES)}")


def _json_rows(path: Path) -> Iterator[_Row]:
    for number, line in enumerate(split_lines(read_text(path)), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield _Row(number, {}, json_fault(error)[1])
            continue
        if not isinstance(value, dict):
            yield _Row(number, {}, "not a JSON object")
            continue
        known = {name: value[name] for name in (ID, TEXT, ORIGINAL) if value.get(name) is not None}
        lacking = [name for name in (ID, TEXT) if name not in known]
        odd = [name for name, cell in known.items() if not isinstance(cell, str)]
        if lacking or odd:
            yield _Row(
                number, {}, f"no field {lacking[0]!r}" if lacking else f"the field {odd[0]!r} is no text"
            )
        else:
            yield _Row(number, known)


def _table_rows(path: Path) -> Iterator[_Row]:
    table = read_table(path, known=lambda header: {ID, TEXT} <= set(header))
    if lacking := [name for name in (ID, TEXT) if name not in table.header]:
        raise InputError(
            f"{path} lacks a column",
            [Problem(str(path), table.header_line, f"no column {name!r}") for name in lacking],
            f"the first line names the columns: {ID},{TEXT}",
        )
    faults = [_Row(problem.line, {}, problem.message) for problem in table.problems]
    rows = [_Row(row.line, table.named(row)) for row in table.rows]
    if set(table.header) >= EXPORTED:  # our own table, whose cells were guarded for spreadsheets
        rows = [_Row(row.line, {name: unguarded(cell) for name, cell in row.cells.items()}) for row in rows]
    yield from sorted((*rows, *faults), key=_line)


def _line(row: _Row) -> int:
    return row.line
