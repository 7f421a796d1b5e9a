"""JSON lines: one object per line, one or several lines per image, or one line with a list of captions.

Reads the fields `image_path, caption, image_id, caption_id, split` and any other names given as columns.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from clipbench.datasets.fields import KNOWN, FieldError, Roles, left_out, own_numbers, roles, rows_of
from clipbench.datasets.jsonvalues import record
from clipbench.datasets.rows import Note, Parsed, ReadRequest, Row, plural
from clipbench.datasets.textfile import json_fault, read_text
from clipbench.errors import InputError, Problem
from clipbench.tabular.text import split_lines


def parse(request: ReadRequest) -> Parsed:
    """Return the rows of a JSON lines file in order. Raises InputError (no text) and DatasetError (no file).

    The fields are chosen on the first line that is an object; later lines use the same names. Other fields may
    come and go.
    """
    file = str(request.captions)
    problems: list[Problem] = []
    records: list[tuple[int, Mapping[str, object]]] = []
    blank = 0
    for number, line in enumerate(split_lines(read_text(request.captions)), start=1):
        if not line.strip():
            blank += 1
            continue
        try:
            records.append((number, record(json.loads(line), "the line")))
        except FieldError as error:
            problems.append(Problem(file, number, str(error)))
        except (ValueError, RecursionError) as error:
            problems.append(Problem(file, number, json_fault(error)[1]))
    notes: tuple[Note, ...] = (
        (Note("blank-lines", blank, f"{plural(blank, 'blank line')} passed over"),) if blank else ()
    )
    if not records:
        return Parsed((), notes, tuple(problems))
    names = _roles(request, records)
    rows: list[Row] = []
    lacking: Counter[str] = Counter()
    for number, value in records:
        try:
            if lacks := names.lacking(value):
                lacking[lacks] += 1
            else:
                rows += rows_of(value, names, number)
        except FieldError as error:
            problems.append(Problem(file, number, str(error)))
    notes += left_out(lacking)
    return Parsed(tuple(own_numbers(rows)), notes, tuple(sorted(problems)), names.others)


def _roles(request: ReadRequest, records: Sequence[tuple[int, Mapping[str, object]]]) -> Roles:
    (line, first), *_ = records
    # A well-known name that only a later line has would change which field is the image or the caption.
    known = {name for names in KNOWN.values() for name in names} - set(first)
    later = dict.fromkeys(name for _, value in records for name in value if name not in known)
    nested = {name for _, value in records for name, held in value.items() if isinstance(held, dict)}
    try:
        names = roles(request.columns, dict.fromkeys((*first, *later)))
    except FieldError as error:
        hint = (
            "name the fields: --image-column NAME --caption-column NAME, or compose captions of them: "
            "--caption-template '{FIELD}, {FIELD}'"
        )
        found = Problem(str(request.captions), line, str(error))
        raise InputError(f"{request.captions} lacks a field", [found], hint) from error
    return replace(names, others=tuple(name for name in names.others if name not in nested))
