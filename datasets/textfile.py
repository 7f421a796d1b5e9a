"""Files of captions to text, lines and JSON values; every failure says file, line and byte.

Knows JSON, and no format of captions. Encodings and line ends are `tabular.text`'s.
"""

from __future__ import annotations

import json
from pathlib import Path

from clipbench.errors import DatasetError, InputError, Problem
from clipbench.foreign_files import read_foreign
from clipbench.tabular.text import decode_text

LARGEST = 4 << 30
"""Bytes of a caption file that are read: some forty million captions."""


def read_bytes(path: Path) -> bytes:
    """Return a regular file's bytes. Raises DatasetError where there is none, no permission, or too much."""
    if path.is_dir():
        raise DatasetError(f"{path} is a folder, a file is needed", "--format folder reads folders")
    return read_foreign(path, LARGEST, error=DatasetError)


def read_text(path: Path) -> str:
    """Return a file's text, UTF-8 or UTF-16 with a byte order mark, line ends as they are.

    Raises DatasetError (no such file) and InputError: no text, another encoding with the lines, an empty file.
    """
    return decode_text(read_bytes(path), str(path)).text


def read_json(path: Path) -> object:
    """Return a file's JSON value. Raises DatasetError and InputError, with the line of the fault."""
    return parse_json(read_text(path), path)


def parse_json(text: str, path: Path) -> object:
    """Return the JSON value of a text that came from `path`. Raises InputError with the line of the fault."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON", [Problem(str(path), *json_fault(error))]) from error


def json_fault(error: ValueError | RecursionError) -> tuple[int, str]:
    """Return line and message of a failed JSON reading."""
    if isinstance(error, json.JSONDecodeError):
        return error.lineno, f"not JSON: {error.msg} at column {error.colno}"
    if isinstance(error, RecursionError):
        return 0, "not usable JSON: nested too deeply"
    return 0, f"not usable JSON: {error}"
