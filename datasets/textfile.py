"""Bytes of a caption file to text, lines and JSON values; every failure says file, line and byte.

Knows encodings and line ends, and no format.
"""

from __future__ import annotations

import codecs
import json
from pathlib import Path

from clipbench.errors import DatasetError, InputError, Problem

BINARY = (
    (b"PAR1", "a Parquet file", "--format parquet"),
    (b"\x1f\x8b", "gzip-compressed", "gunzip it first"),
    (b"PK\x03\x04", "a zip archive", "unpack it first"),
    (codecs.BOM_UTF16_LE, "UTF-16 text", "save it as UTF-8"),
    (codecs.BOM_UTF16_BE, "UTF-16 text", "save it as UTF-8"),
)


def read_bytes(path: Path) -> bytes:
    """Return a regular file's bytes. Raises DatasetError where there is none, or no permission."""
    try:
        if path.is_dir():
            raise DatasetError(f"{path} is a folder, a file is needed", "--format folder reads folders")
        if path.exists() and not path.is_file():
            raise DatasetError(f"{path} is no regular file")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DatasetError(f"cannot read {path}: {reason}", "check the path and its permissions") from error


def read_text(path: Path) -> str:
    """Return a file's text, UTF-8 with or without a byte order mark, line ends as they are.

    Raises DatasetError (no such file) and InputError naming every line that is not UTF-8, or an empty file.
    """
    data = read_bytes(path)
    for magic, what, hint in BINARY:
        if data.startswith(magic):
            raise InputError(f"{path} is {what}", [Problem(str(path), 0, f"is {what}, no UTF-8 text")], hint)
    if not data.strip():
        raise InputError(f"{path} is empty", [Problem(str(path), 0, "holds nothing to read")])
    if (nul := data.find(b"\0")) >= 0:
        line = data.count(b"\n", 0, nul) + 1
        found = Problem(str(path), line, f"a NUL byte at byte {nul}: this is no text file")
        raise InputError(f"{path} is no text", [found], "give a UTF-8 text file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        hint = f"if it is Latin-1: iconv -f latin1 -t utf-8 {path} > fixed{path.suffix}"
        raise InputError(f"{path} is not UTF-8", _bad_lines(path, data), hint) from error


def _bad_lines(path: Path, data: bytes) -> list[Problem]:
    problems = []
    start = 0
    for number, line in enumerate(data.split(b"\n"), start=1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            message = f"byte 0x{line[error.start]:02x} at byte {start + error.start} of the file is not UTF-8"
            problems.append(Problem(str(path), number, message))
        start += len(line) + 1
    return problems


def split_lines(text: str) -> list[str]:
    r"""Return the lines of a text without their ends: LF, CRLF, or CR alone where there is no LF at all.

    Only these end a line. Other separators (form feed, U+2028, NEL) stay inside it, as in any editor:

    >>> split_lines("a dog \r\na\x0ccat\n")
    ['a dog ', 'a\x0ccat']
    """
    end = "\n" if "\n" in text else "\r"
    lines = [line.removesuffix("\r") for line in text.split(end)]
    if lines[-1] == "":
        lines.pop()
    return lines


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
