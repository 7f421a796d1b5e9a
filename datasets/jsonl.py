"""JSON lines: one object per line, one or several lines per image, or one line with a list of captions.

Reads the fields `image_path, caption, image_id, caption_id, split` and any other names given as columns.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from clipbench.datasets.fields import FieldError, Roles, own_numbers, roles, rows_of
from clipbench.datasets.jsonvalues import record
from clipbench.datasets.rows import Note, Parsed, ReadRequest, Row, plural
from clipbench.datasets.textfile import json_fault, read_text
from clipbench.errors import InputError, Problem
from clipbench.tabular.text import split_lines


def parse(request: ReadRequest) -> Parsed:
    """Return the rows of a JSON lines file in order. Raises InputError (no text) and DatasetError (no file).

    The fields are chosen on the first line that is an object; later lines use the same names.
    """
    file = str(request.captions)
    rows: list[Row] = []
    problems: list[Problem] = []
    names: Roles | None = None
    blank = 0
    for number, line in enumerate(split_lines(read_text(request.captions)), start=1):
        if not line.strip():
            blank += 1
            continue
        try:
            value = record(json.loads(line), "the line")
            names = names or _roles(request, value, number)
            rows += rows_of(value, names, number)
        except FieldError as error:
            problems.append(Problem(file, number, str(error)))
        except (ValueError, RecursionError) as error:
            problems.append(Problem(file, number, json_fault(error)[1]))
    notes = (Note("blank-lines", blank, f"{plural(blank, 'blank line')} passed over"),) if blank else ()
    return Parsed(tuple(own_numbers(rows)), notes, tuple(problems))


def _roles(request: ReadRequest, value: Mapping[str, object], line: int) -> Roles:
    try:
        return roles(request.columns, value)
    except FieldError as error:
        hint = "name the fields: --image-column NAME --caption-column NAME"
        found = Problem(str(request.captions), line, str(error))
        raise InputError(f"{request.captions} lacks a field", [found], hint) from error
