"""Bytes of a file to its text and lines; every failure says file, line and byte."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass

from clipbench.errors import InputError, Problem

NO_TEXT = (
    (b"PAR1", "a Parquet file", "--format parquet"),
    (b"\x1f\x8b", "gzip-compressed", "gunzip it first"),
    (b"PK\x03\x04", "a zip archive", "unpack it first"),
    # Before UTF-16, whose mark the little-endian one begins with.
    (codecs.BOM_UTF32_LE, "UTF-32 text", "save it as UTF-8"),
    (codecs.BOM_UTF32_BE, "UTF-32 text", "save it as UTF-8"),
)
"""How a file begins that holds no text we read -> what it is, and what to do."""

UTF_16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}

MOST_NAMED = 100
"""Lines named of a file in another encoding; every line beyond has the same cause."""


@dataclass(frozen=True, slots=True)
class Quirk:
    """Something remarkable about a file that is no error. kind: a stable name; message: for people."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Text:
    """A file's text without its byte order mark, line ends as they are, and what was remarkable."""

    text: str
    quirks: tuple[Quirk, ...]


def decode_text(data: bytes, file: str) -> Text:
    """Return the text of a file's bytes: UTF-8 with or without a byte order mark, or UTF-16 with one.

    file: its name, for messages. Raises InputError for an empty file, for one that is no text or in
    another encoding (with line and byte), and for a NUL.
    """
    for magic, what, hint in NO_TEXT:
        if data.startswith(magic):
            raise InputError(f"{file} is {what}", [Problem(file, 0, f"is {what}, no UTF-8 text")], hint)
    encoding = UTF_16.get(data[:2])
    text = _utf_8(data, file) if encoding is None else _utf_16(data[2:], encoding, file)
    if not text.strip():
        raise InputError(f"{file} is empty", [Problem(file, 0, "holds nothing to read")])
    if (nul := text.find("\0")) >= 0:
        message = f"a NUL at character {nul}: this is no text file, or UTF-16 without a byte order mark"
        raise InputError(f"{file} is no text", [Problem(file, _line(text, nul), message)], "save it as UTF-8")
    return Text(text, _quirks(data, text))


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


def lines_of(text: str) -> Iterator[str]:
    """Yield what `split_lines` returns, one line at a time."""
    end = "\n" if "\n" in text else "\r"
    start = 0
    while (at := text.find(end, start)) >= 0:
        yield text[start:at].removesuffix("\r")
        start = at + 1
    if start < len(text):
        yield text[start:].removesuffix("\r")


def _utf_8(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if b"\0" in data:  # ASCII letters of UTF-16 are half NULs
            message = "is UTF-16 without a byte order mark, or no text"
            raise InputError(
                f"{file} is not UTF-8", [Problem(file, 0, message)], "save it as UTF-8"
            ) from error
        suffix = file[file.rfind(".") :] if "." in file.rpartition("/")[2] else ""
        hint = f"if it is Latin-1: iconv -f latin1 -t utf-8 {file} > fixed{suffix}"
        raise InputError(f"{file} is not UTF-8", _bad_lines(data, file), hint) from error


def _bad_lines(data: bytes, file: str) -> list[Problem]:
    problems: list[Problem] = []
    start = 0
    for number, line in enumerate(data.split(b"\n"), start=1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            message = f"byte 0x{line[error.start]:02x} at byte {start + error.start} of the file is not UTF-8"
            problems.append(Problem(file, number, message))
            if len(problems) == MOST_NAMED:
                break
        start += len(line) + 1
    return problems


def _utf_16(data: bytes, encoding: str, file: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = _line(data[: error.start].decode(encoding), error.start)
        message = f"byte {error.start + 2} of the file is not UTF-16 ({error.reason})"
        raise InputError(f"{file} is damaged", [Problem(file, line, message)], "save it as UTF-8") from error


def _line(text: str, position: int) -> int:
    return text.count("\n" if "\n" in text else "\r", 0, position) + 1


def _quirks(data: bytes, text: str) -> tuple[Quirk, ...]:
    quirks = []
    if data.startswith(codecs.BOM_UTF8):
        quirks.append(Quirk("byte-order-mark", "a byte order mark"))
    if data[:2] in UTF_16:
        quirks.append(Quirk("utf-16", "written as UTF-16"))
    if "\r\n" in text:
        quirks.append(Quirk("crlf", "line ends as on Windows (CRLF)"))
    if not text.endswith(("\n", "\r")):
        quirks.append(Quirk("no-last-end", "no line end after the last row"))
    return tuple(quirks)
