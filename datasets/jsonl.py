"""JSON lines: one object per line, one or several lines per image, or one line with a list of captions.

Reads the fields `image_path, caption, image_id, caption_id, split` and any other names given as columns.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace

from clipbench.datasets.fields import KNOWN, FieldError, Roles, left_out, own_numbers, roles, rows_of
from clipbench.datasets.jsonvalues import record
from clipbench.datasets.rows import Note, Parsed, ReadRequest, Row
from clipbench.datasets.textfile import json_fault, read_text
from clipbench.errors import InputError, Problem
from clipbench.tabular.text import lines_of
from clipbench.wording import plural


def parse(request: ReadRequest) -> Parsed:
    """Return the rows of a JSON lines file in order. Raises InputError (no text) and DatasetError (no file).

    The fields are chosen on the first line that is an object; later lines use the same names. Other fields may
    come and go.
    """
    file = str(request.captions)
    text = read_text(request.captions)
    fields = _fields(text)
    problems: list[Problem] = []
    rows: list[Row] = []
    lacking: Counter[str] = Counter()
    names: Roles | None = None
    blank = 0
    for number, line in enumerate(lines_of(text), start=1):
        if not line.strip():
            blank += 1
            continue
        try:
            value = record(json.loads(line), "the line")
            names = names or _roles(request, number, fields)
            if lacks := names.lacking(value):
                lacking[lacks] += 1
            else:
                rows += rows_of(value, names, number)
        except FieldError as error:
            problems.append(Problem(file, number, str(error)))
        except (ValueError, RecursionError) as error:
            problems.append(Problem(file, number, json_fault(error)[1]))
    notes: tuple[Note, ...] = (
        (Note("blank-lines", blank, f"{plural(blank, 'blank line')} passed over"),) if blank else ()
    )
    others = names.others if names else ()
    return Parsed(tuple(own_numbers(rows)), notes + left_out(lacking), tuple(sorted(problems)), others)


@dataclass(slots=True)
class _Fields:
    """The names that the objects of all lines have. Lines are read twice: a million objects would fill the memory."""

    first: dict[str, None]
    later: dict[str, None]
    nested: set[str]


def _fields(text: str) -> _Fields:
    fields = _Fields({}, {}, set())
    for line in lines_of(text):
        try:
            value = json.loads(line) if line.strip() else None
        except (ValueError, RecursionError):  # told when it is read again
            continue
        if isinstance(value, dict):
            fields.first = fields.first or dict.fromkeys(value)
            fields.later.update(dict.fromkeys(value))
            fields.nested |= {name for name, held in value.items() if isinstance(held, dict)}
    return fields


def _roles(request: ReadRequest, line: int, fields: _Fields) -> Roles:
    # A well-known name that only a later line has would change which field is the image or the caption.
    known = {name for names in KNOWN.values() for name in names} - set(fields.first)
    later = [name for name in fields.later if name not in known]
    nested = fields.nested
    try:
        names = roles(request.columns, dict.fromkeys((*fields.first, *later)))
    except FieldError as error:
        hint = (
            "name the fields: --image-column NAME --caption-column NAME, or compose captions of them: "
            "--caption-template '{FIELD}, {FIELD}'"
        )
        found = Problem(str(request.captions), line, str(error))
        raise InputError(f"{request.captions} lacks a field", [found], hint) from error
    return replace(names, others=tuple(name for name in names.others if name not in nested))
