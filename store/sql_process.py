"""The process that asks a database a question somebody typed, within limits on time, memory and space.

Started by `clipbench.store.sql` as a script of its own and knows the standard library alone, so it starts
quickly and holds nothing of ours. SQLite looks at the clock only between instructions of its machine, and one
call of `replace` on a string of 16 MB is one instruction: only a process can be stopped at any moment.

Three locks, each enough by itself: the file is opened read-only, SQLite is told to refuse writing, and an
authorizer allows nothing but selecting, plain functions and the pragmas that describe tables.

It reads a `Question` as JSON from its standard input and writes frames: one byte that says what follows, its
length in 8 bytes, and that many bytes. First the columns, then a frame of each value, and "row" after a row's last.
"""

from __future__ import annotations

import json
import math
import sqlite3
import struct
import sys
import time
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

COLUMNS, ROW, MORE, REFUSED = b"C", b"R", b"M", b"X"
"""Kinds of frames beside values: names of the columns, the end of a row, there was more, why there is no answer."""

NULL, INTEGER, FLOAT, TEXT, BLOB = b"N", b"I", b"F", b"T", b"B"
"""Kinds of values."""

LARGEST = 16 << 20
"""Bytes that one value or one statement may have."""

HEAP = 512 << 20
"""Bytes that SQLite may have in memory, sorting and temporary tables included: they are kept there."""

MEMORY = 2 << 30
"""Bytes of address space of the whole process."""

SPACE = 64 << 20
"""Bytes of a file it may write: SQLite makes a small one beside the database to read by."""

PER_VALUE = 32
"""Bytes that a value costs beside its content."""

STEPS = 10_000
"""Instructions of SQLite's machine between two looks at the clock, about a millisecond."""

ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})
PRAGMAS = frozenset({"table_info", "table_xinfo", "table_list", "index_list", "index_info", "user_version"})
REFUSED_FUNCTIONS = frozenset({"load_extension", "fts3_tokenizer", "writefile", "readfile", "edit"})


class TooLargeError(Exception):
    """An answer that passes its limit; its words are what to tell."""


def limit_process(seconds: float) -> None:
    """Let the system end this process where it takes more than it may."""
    try:
        import resource
    except ImportError:  # Windows: SQLite's own limits and the clock of the process that waits are left
        return
    cpu = math.ceil(min(seconds, 1e9)) + 5
    for kind, wanted in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_FSIZE, SPACE),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (most, most))


def frame(kind: bytes, content: bytes = b"") -> bytes:
    """Return a frame."""
    return kind + struct.pack("<Q", len(content)) + content


def value_frame(value: object) -> bytes:
    """Return the frame of a value."""
    if value is None:
        return frame(NULL)
    if isinstance(value, int):
        return frame(INTEGER, str(value).encode())
    if isinstance(value, float):
        return frame(FLOAT, struct.pack("<d", value))
    return frame(TEXT, value.encode()) if isinstance(value, str) else frame(BLOB, bytes(value))  # type: ignore[call-overload]  # SQLite has five types


def answer(question: str, uri: str, limits: tuple[int, float, int], out: BinaryIO) -> None:
    """Write the answer as frames. limits: rows, seconds, and bytes of all values together."""
    rows, seconds, most = limits
    end = time.monotonic() + seconds
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=seconds)
        for setting in ("query_only = ON", "temp_store = MEMORY", f"hard_heap_limit = {HEAP}"):
            connection.execute(f"PRAGMA {setting}").fetchall()
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST)
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        # Captions may hold half a surrogate pair, which no decoder takes as it stands.
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        connection.set_authorizer(authorize)
        connection.set_progress_handler(lambda: time.monotonic() > end, STEPS)
        for part in frames(connection.execute(question), rows, most):
            out.write(part)
    except (sqlite3.Error, sqlite3.Warning, ValueError, TooLargeError) as error:
        late = "interrupted" in str(error) and time.monotonic() >= end
        out.write(frame(REFUSED, ("late" if late else str(error)).encode("utf-8", "backslashreplace")))
    except MemoryError:
        out.write(frame(REFUSED, b"memory"))
    out.flush()


def frames(cursor: sqlite3.Cursor, rows: int, most: int) -> Iterator[bytes]:
    """Yield the frames of an answer. Raises TooLargeError before they pass `most` bytes."""
    if cursor.description is None:
        raise TooLargeError("nothing")
    yield frame(COLUMNS, json.dumps([column[0] for column in cursor.description]).encode())
    size = 0
    for number, row in enumerate(islice(cursor, min(rows + 1, sys.maxsize)), 1):
        if number > rows:
            yield frame(MORE)
            return
        size += sum(len(v) if isinstance(v, str | bytes) else 0 for v in row) + PER_VALUE * len(row)
        if size > most:
            raise TooLargeError(f"large {number}")
        for value in row:
            yield value_frame(value)
        yield frame(ROW)


def authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    """Say whether SQLite may do a thing: select, read, plain functions, pragmas that describe."""
    if action in ALLOWED:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and (second or "").casefold() not in REFUSED_FUNCTIONS:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_PRAGMA and (first or "").casefold() in PRAGMAS and _only_reads(first, second):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _only_reads(pragma: str | None, argument: str | None) -> bool:
    """Whether a pragma with this argument only reads: user_version with one would set it."""
    return pragma is not None and (pragma.casefold() != "user_version" or argument is None)


def main() -> None:
    """Answer the question on the standard input."""
    asked = json.load(sys.stdin)
    limit_process(asked["seconds"])
    limits = (asked["rows"], asked["seconds"], asked["bytes"])
    answer(asked["question"], asked["uri"], limits, sys.stdout.buffer)


if __name__ == "__main__":
    main()
